import { validate as runClassValidator } from 'class-validator';
import type { ValidationError as Finding } from 'class-validator';
import { getMetadataStorage } from 'class-validator';
import type { RecordState } from '../attributes/record-state';
import { isReading } from '../query/reading';
import type { Column, ModelSchema } from '../schema/model-schema';
import { runDeciding } from '../transaction/held-reads';
import { watchLoneWork } from '../transaction/lone-work';
import type { Problem, RecordErrors } from './errors';
import './facts';

const validated = new WeakMap<ModelSchema, boolean>();

/** What the column types, class-validator, `@Check` and `@Validates` say of a record. Fills `errors`. */
export async function validateRecord(
  schema: ModelSchema,
  record: object,
  state: RecordState,
  errors: RecordErrors,
  contexts: readonly string[],
): Promise<void> {
  const problems = schema.columns.flatMap((column) => typeProblems(schema, column, state));
  const wrongTypes = new Set(problems.map((problem) => problem.attribute));
  // A rule about the value says nothing new about a value of the wrong type.
  const decision = { table: schema.table, mayWrite: false } as const;
  const found = hasClassValidatorRules(schema)
    ? await runDeciding(decision, () => findings(schema, record, contexts))
    : [];
  errors.replace([
    ...problems,
    ...found.filter((problem) => !wrongTypes.has(problem.attribute)),
    ...(wrongTypes.size > 0 ? [] : checkProblems(schema, record)),
  ]);
  if (wrongTypes.size > 0) return;
  const methods = record as unknown as Record<string, () => void | Promise<void>>;
  for (const { method, on, when } of schema.facts('validator')) {
    if (on.length > 0 && !on.some((context) => contexts.includes(context))) continue;
    if (when === undefined || when(record)) await runDeciding(decision, () => methods[method]!());
  }
}

/** Of {@link validateRecord}, what can be told by the values alone, without running code of the model's but `@Check`s. */
export function valueProblems(schema: ModelSchema, record: object, state: RecordState): Problem[] {
  const problems = schema.columns.flatMap((column) => typeProblems(schema, column, state));
  return problems.length > 0 ? problems : checkProblems(schema, record);
}

function typeProblems(schema: ModelSchema, column: Column, state: RecordState): Problem[] {
  const { property: attribute, type } = column;
  const value = state.get(attribute);
  if (value === null || value === undefined) {
    const fillsItself = column.hasDatabaseDefault || column.isGenerated || column.timestamp !== undefined;
    const mayBeLeftOut = column.isNullable || (fillsItself && value === undefined);
    return mayBeLeftOut ? [] : [{ attribute, code: 'required', message: 'must be given' }];
  }
  if (!(attribute in state.assigned)) return [];
  if (column.isGenerated) return [{ attribute, code: 'generated', message: 'is filled in by the database' }];
  if (state.persistence !== 'new' && isReading(schema, attribute)) {
    return [{ attribute, code: 'counted', message: 'is changed by increment and decrement only' }];
  }
  const refusal = type.refusal(value);
  return refusal === undefined ? [] : [{ attribute, code: 'type', message: refusal }];
}

function checkProblems(schema: ModelSchema, record: object): Problem[] {
  return schema
    .facts('check')
    .filter(({ holds }) => holds !== undefined && !holds(record))
    .map(({ property, message }) => ({ attribute: property, code: 'check', message }));
}

const reading = new WeakSet<ModelSchema>();

/**
 * Whether rules of class-validator have been seen to use the database, outside of a transaction: then the record is to
 * be saved in one that they are part of. They look like all the others, so it is known only once they have.
 */
export function rulesRead(schema: ModelSchema): boolean {
  return reading.has(schema);
}

async function findings(schema: ModelSchema, record: object, contexts: readonly string[]): Promise<Problem[]> {
  const { value, isUsed } = await watchLoneWork(() => classValidatorProblems(record, contexts));
  if (isUsed) reading.add(schema);
  return value;
}

async function classValidatorProblems(record: object, contexts: readonly string[]): Promise<Problem[]> {
  const findings = await runClassValidator(record, {
    // Rules without groups always hold; those with groups hold in the contexts of the same names.
    always: true,
    groups: [...contexts],
    forbidUnknownValues: false,
    validationError: { target: false, value: false },
  });
  return findings.flatMap((finding) => problemsOf(finding, ''));
}

export function hasClassValidatorRules(schema: ModelSchema): boolean {
  let known = validated.get(schema);
  if (known === undefined) {
    const rules = getMetadataStorage().getTargetValidationMetadatas(schema.model, '', true, false);
    validated.set(schema, (known = rules.length > 0));
  }
  return known;
}

function problemsOf({ property, constraints = {}, children = [] }: Finding, prefix: string): Problem[] {
  const attribute = prefix + property;
  const own = Object.entries(constraints).map(([code, message]) => ({
    attribute,
    code,
    // class-validator begins its messages with the property's name, which ours stand after.
    message: message.startsWith(`${property} `) ? message.slice(property.length + 1) : message,
  }));
  return [...own, ...children.flatMap((child) => problemsOf(child, `${attribute}.`))];
}
