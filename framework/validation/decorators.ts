import type { AttributeName } from '../attributes/types';
import type { ModelClass } from '../schema/facts';
import { modelRegistry } from '../schema/registry';
import type { NullsAre } from './facts';

export interface ValidatesOptions<M> {
  /** Contexts in which it runs: `create`, `update`, or one named in `save({ context })`. Default: all. */
  readonly on?: string | readonly string[];
  readonly if?: (record: M) => boolean;
}

type ValidatingMethod = () => void | Promise<void>;

/** A method that checks the record and adds what is wrong with `this.errors.add(…)`. */
export function Validates<M extends object>(options: ValidatesOptions<M> = {}) {
  return <F extends ValidatingMethod>(prototype: M, method: string, _descriptor: TypedPropertyDescriptor<F>): void =>
    modelRegistry.declare(prototype.constructor as ModelClass, {
      kind: 'validator',
      method,
      on: typeof options.on === 'string' ? [options.on] : (options.on ?? []),
      when: options.if as ((record: object) => boolean) | undefined,
    });
}

export interface UniqueOptions<S extends string = string> {
  /** Attributes that the value must be unique within, such as `accountId`. */
  readonly scope?: S | readonly S[];
  /** `Ann@x.org` and `ann@x.org` are the same. Default: true for `citext` columns, else false. */
  readonly caseInsensitive?: boolean;
  /** SQL: only rows of which this is true must be unique, as in `where: 'cancelled_at is null'`. */
  readonly where?: string;
  /**
   * Whether two rows without a value (the attribute's, or one of the scope's) agree. Default `distinct`, as in SQL: they
   * do not. `not distinct` needs PostgreSQL 15.
   */
  readonly nulls?: NullsAre;
  /**
   * Looked at when the transaction ends, so that two rows can swap their values in it: a constraint that is
   * `deferrable initially deferred`. A violation then refuses the COMMIT, and so the whole transaction. Default false.
   */
  readonly deferred?: boolean;
  /** Name of the unique index. Needed only where its columns do not tell which it is. */
  readonly index?: string;
  /** Default: `is taken`. */
  readonly message?: string;
}

/** Compiles on models that have all of these attributes. */
type UniqueDecorator<S extends string> = <M extends object>(
  prototype: M,
  property: [S] extends [AttributeName<M>] ? string : `${Exclude<S, AttributeName<M>>} is no attribute`,
) => void;

/**
 * No two committed rows agree in this attribute. A unique index decides, whatever happens at the same time;
 * the loser gets a ValidationError on the attribute. `db.verify()` names the index if it is missing.
 */
export function Unique<const S extends string = never>(options: UniqueOptions<S> = {}): UniqueDecorator<S> {
  return (prototype, property) =>
    modelRegistry.declare(prototype.constructor as ModelClass, {
      kind: 'unique',
      property,
      scope: typeof options.scope === 'string' ? [options.scope] : (options.scope ?? []),
      isCaseInsensitive: options.caseInsensitive ?? false,
      where: options.where,
      nulls: options.nulls ?? 'distinct',
      isDeferred: options.deferred ?? false,
      index: options.index,
      message: options.message ?? 'is taken',
    });
}

export interface CheckOptions<M> {
  /** Name of the constraint in the database. Default: `<table>_<column>_check`, PostgreSQL's own choice. */
  readonly constraint?: string;
  /** Default: the expression, as `must satisfy …`. */
  readonly message?: string;
  /** The same rule in TypeScript: refuses a record before it is sent. */
  readonly holds?: (record: M) => boolean;
}

/** A rule of one row, in SQL. A CHECK constraint holds it; a violation is a ValidationError on the attribute. */
export function Check<M extends object>(expression: string, options: CheckOptions<M> = {}) {
  return (prototype: M, property: string): void =>
    modelRegistry.declare(prototype.constructor as ModelClass, {
      kind: 'check',
      property,
      expression,
      constraint: options.constraint,
      message: options.message ?? `must satisfy ${expression}`,
      holds: options.holds as ((record: object) => boolean) | undefined,
    });
}

modelRegistry.addRule((schema) =>
  schema
    .facts('unique')
    .filter((fact) => fact.isDeferred && (fact.isCaseInsensitive || fact.where !== undefined))
    .map(
      ({ property }) =>
        `.${property}: @Unique cannot be deferred and caseInsensitive or conditional: PostgreSQL defers constraints on whole columns of all rows only.`,
    ),
);

modelRegistry.addRule((schema) =>
  [...schema.facts('unique'), ...schema.facts('check')].flatMap((fact) => {
    const named = fact.kind === 'unique' ? [fact.property, ...fact.scope] : [fact.property];
    return named
      .filter((property) => !schema.column(property))
      .map(
        (property) =>
          `.${fact.property}: @${fact.kind === 'unique' ? 'Unique' : 'Check'} names "${property}", which is no column.`,
      );
  }),
);
