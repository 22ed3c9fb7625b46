import type { ModelClass } from '../schema/facts';
import { modelRegistry } from '../schema/registry';
import type { Deed, Moment, Stage } from './facts';

export interface CallbackOptions<M> {
  /** Runs the callback only for records of which this is true. */
  readonly if?: (record: M) => boolean;
}

export interface OutcomeCallbackOptions {
  /** Runs the callback only after these. Default: all three. */
  readonly on?: Deed | readonly Deed[];
}

type Simple = () => void | Promise<void>;
type Around = (proceed: () => Promise<void>) => Promise<void>;
// Generic in the method's own type, since a descriptor of `() => Promise<void>` is none of `() => void | Promise<void>`.
type CallbackDecorator<F> = <M extends object>(
  options?: CallbackOptions<M>,
) => <Own extends F>(prototype: M, method: string, descriptor: TypedPropertyDescriptor<Own>) => void;

// Callbacks run inside the record's transaction, in the order of their declaration, those of a parent class
// first. One that throws stops the operation and rolls it back. An `around` callback gets what it stands
// around as `proceed`, and must call it exactly once or throw.
export const BeforeValidation = callback<Simple>('before', 'validation');
export const AfterValidation = callback<Simple>('after', 'validation');
export const AroundValidation = callback<Around>('around', 'validation');
export const BeforeSave = callback<Simple>('before', 'save');
export const AfterSave = callback<Simple>('after', 'save');
export const AroundSave = callback<Around>('around', 'save');
export const BeforeCreate = callback<Simple>('before', 'create');
export const AfterCreate = callback<Simple>('after', 'create');
export const AroundCreate = callback<Around>('around', 'create');
export const BeforeUpdate = callback<Simple>('before', 'update');
export const AfterUpdate = callback<Simple>('after', 'update');
export const AroundUpdate = callback<Around>('around', 'update');
export const BeforeDestroy = callback<Simple>('before', 'destroy');
export const AfterDestroy = callback<Simple>('after', 'destroy');
export const AroundDestroy = callback<Around>('around', 'destroy');

/**
 * Runs after the outermost transaction that saved or destroyed the record is committed, outside of it: once for each
 * save and destroy in it, in their order.
 */
export const AfterCommit = outcomeCallback('commit');

/** Runs once it is certain that what was done to the record was rolled back. */
export const AfterRollback = outcomeCallback('rollback');

function callback<F>(moment: Moment, stage: Stage): CallbackDecorator<F> {
  return (options) => (prototype, method) =>
    modelRegistry.declare(prototype.constructor as ModelClass, {
      kind: 'callback',
      moment,
      stage,
      method,
      when: options?.if as ((record: object) => boolean) | undefined,
    });
}

function outcomeCallback(outcome: 'commit' | 'rollback') {
  return ({ on = ['create', 'update', 'destroy'] }: OutcomeCallbackOptions = {}) =>
    <Own extends Simple>(prototype: object, method: string, _descriptor: TypedPropertyDescriptor<Own>): void =>
      modelRegistry.declare(prototype.constructor as ModelClass, {
        kind: 'outcomeCallback',
        outcome,
        on: typeof on === 'string' ? [on] : on,
        method,
      });
}
