import { BellwetherError } from '../core/errors';
import type { ModelSchema } from '../schema/model-schema';
import { runDeciding } from '../transaction/held-reads';
import type { Scope } from '../transaction/scope';
import type { CallbackFact, Deed, Stage } from './facts';

/** An `around` callback did not call `proceed`, or called it more than once. */
export class CallbackHaltedError extends BellwetherError {
  override readonly code = 'E_CALLBACK_HALTED';
  override readonly recovery = 'fix-the-code';

  constructor(model: string, method: string, calls: number) {
    super({
      what: `${model}.${method} called proceed() ${calls} times; it stands around an operation that happens once.`,
      remedy: 'Call `await proceed()` exactly once, or throw an error to stop the operation.',
      details: { model, method, calls },
    });
  }
}

type Methods = Record<string, (proceed?: () => Promise<void>) => void | Promise<void>>;

/** Calls a callback by the name of its method. */
type Call = (method: string, proceed?: () => Promise<void>) => void | Promise<void>;

const byStage = new WeakMap<ModelSchema, ReadonlyMap<string, readonly CallbackFact[]>>();

/** Whether an operation of this kind can run as one statement, with nothing to be called around it. */
export function hasCallbacks(schema: ModelSchema, stages: readonly Stage[]): boolean {
  return stages.some((stage) => callbacksOf(schema, stage).length > 0) || schema.facts('outcomeCallback').length > 0;
}

/** Whether code of the model's runs before a row is written, which may look at the rows before it. */
export function hasCallbacksBefore(schema: ModelSchema): boolean {
  const before = (['save', 'create'] as const).flatMap((stage) => callbacksOf(schema, stage));
  return callbacksOf(schema, 'validation').length > 0 || before.some(({ moment }) => moment !== 'after');
}

/** Runs `operation` with the callbacks of `stage` before, around and after it. */
export function withCallbacks(
  schema: ModelSchema,
  record: object,
  stage: Stage,
  operation: () => Promise<void>,
): Promise<void> {
  const callbacks = callbacksOf(schema, stage);
  return callbacks.length === 0 ? operation() : surrounded(schema, record, callbacks, operation);
}

async function surrounded(
  schema: ModelSchema,
  record: object,
  declared: readonly CallbackFact[],
  operation: () => Promise<void>,
): Promise<void> {
  const callbacks = declared.filter(({ when }) => when === undefined || when(record));
  const decision = { table: schema.table, mayWrite: true };
  const methods = record as unknown as Methods;
  const call: Call = (method, proceed) => runDeciding(decision, () => methods[method]!(proceed));
  const at = (moment: string) => callbacks.filter((callback) => callback.moment === moment);
  for (const { method } of at('before')) await call(method);
  await nested(schema, call, at('around'), operation);
  for (const { method } of at('after')) await call(method);
}

/** Has the callbacks for the transaction's end called when it is known. */
export function registerOutcomeCallbacks(schema: ModelSchema, record: object, deed: Deed, scope: Scope): void {
  const methods = record as unknown as Methods;
  for (const { outcome, on, method } of schema.facts('outcomeCallback')) {
    if (!on.includes(deed)) continue;
    if (outcome === 'commit') scope.afterCommit(() => methods[method]!());
    else scope.afterRollback(() => methods[method]!());
  }
}

async function nested(
  schema: ModelSchema,
  call: Call,
  around: readonly CallbackFact[],
  operation: () => Promise<void>,
): Promise<void> {
  const [outermost, ...inner] = around;
  if (!outermost) return operation();
  const calls: Promise<void>[] = [];
  const halted = (times: number) => new CallbackHaltedError(schema.name, outermost.method, times);
  const proceed = () => {
    const proceeding =
      calls.length === 0
        ? runDeciding(undefined, () => nested(schema, call, inner, operation))
        : Promise.reject(halted(calls.length + 1));
    calls.push(proceeding);
    return proceeding;
  };
  try {
    await call(outermost.method, proceed);
  } finally {
    await Promise.allSettled(calls); // a callback may not have waited
  }
  if (calls.length !== 1) throw halted(calls.length);
  await calls[0]; // what failed has not happened, even if the callback caught its error
}

/** A method that a subclass declares again, or overrides, is called once. */
function callbacksOf(schema: ModelSchema, stage: Stage): readonly CallbackFact[] {
  let stages = byStage.get(schema);
  if (!stages) {
    const grouped = new Map<string, CallbackFact[]>();
    for (const fact of schema.facts('callback')) {
      const group = grouped.get(fact.stage) ?? [];
      if (!group.some(({ moment, method }) => moment === fact.moment && method === fact.method)) group.push(fact);
      grouped.set(fact.stage, group);
    }
    byStage.set(schema, (stages = grouped));
  }
  return stages.get(stage) ?? [];
}
