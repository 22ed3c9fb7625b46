import type { AttributeName } from '../attributes/types';
import type { ColumnType } from '../schema/column-types';
import type { FactSource, ModelClass } from '../schema/facts';
import { snakeCase } from '../schema/naming';
import { modelRegistry } from '../schema/registry';
import { defaultForeignKey } from './association';
import type { AssociationFact, Dependent } from './facts';
import type * as types from './types';

type ClassOf<R extends object> = abstract new (...args: never[]) => R;

export interface BelongsToOptions {
  /** The attribute that holds the key. Default: the property with `Id`; declared by this if by nobody else. */
  readonly foreignKey?: string;
  /** Whether there may be none; then the property is a `BelongsTo<Parent | null>`. Default false. */
  readonly optional?: boolean;
}

export interface HasOptions<R extends object> {
  /** The attribute of the other model that holds the key. Default: that of its `@BelongsTo` of this model. */
  readonly foreignKey?: AttributeName<R> | (string & {});
  /**
   * When this record is destroyed: `destroy` its records with their callbacks, `delete` them in one statement,
   * `nullify` their keys, or `restrict`: refuse. Default: left to the foreign key in the database.
   */
  readonly dependent?: Dependent;
}

/**
 * This record belongs to another and holds its key. Required unless `optional`: the parent is locked `for key
 * share` while this record is saved, so that it cannot go away in between.
 */
export function BelongsTo<R extends object, const O extends BelongsToOptions = Record<never, never>>(
  target: () => ClassOf<R>,
  options?: O,
): <K extends string>(
  prototype: { readonly [P in K]: types.BelongsTo<O extends { optional: true } ? R | null : R> },
  property: K,
) => void;
export function BelongsTo(target: () => ClassOf<object>, options: BelongsToOptions = {}) {
  return (prototype: object, property: string): void => {
    const foreignKey = options.foreignKey ?? defaultForeignKey(property);
    declareAssociation(prototype, property, 'belongsTo', target, options);
    modelRegistry.declare(prototype.constructor as ModelClass, {
      kind: 'column',
      property: foreignKey,
      name: snakeCase(foreignKey),
      type: (source) => keyTypeOf(source, target()),
      isNullable: options.optional ?? false,
      isImplied: true,
    });
  };
}
export type BelongsTo<R extends object | null> = types.BelongsTo<R>;

/** Other records belong to this one. */
export function HasMany<R extends object>(target: () => ClassOf<R>, options: HasOptions<R> = {}) {
  return <K extends string>(prototype: { readonly [P in K]: types.HasMany<R> }, property: K): void =>
    declareAssociation(prototype, property, 'hasMany', target, options);
}
export type HasMany<R extends object> = types.HasMany<R>;

/** At most one other record belongs to this one; `@Unique` on its key makes that certain. */
export function HasOne<R extends object>(target: () => ClassOf<R>, options: HasOptions<R> = {}) {
  return <K extends string>(prototype: { readonly [P in K]: types.HasOne<R> }, property: K): void =>
    declareAssociation(prototype, property, 'hasOne', target, options);
}
export type HasOne<R extends object> = types.HasOne<R>;

function declareAssociation(
  prototype: object,
  property: string,
  kindOf: AssociationFact['kindOf'],
  target: () => ModelClass,
  options: BelongsToOptions & HasOptions<object>,
): void {
  modelRegistry.declare(prototype.constructor as ModelClass, {
    kind: 'association',
    property,
    kindOf,
    target,
    foreignKey: options.foreignKey,
    isOptional: options.optional ?? false,
    dependent: options.dependent,
  });
}

/** The type of a key is that of the primary key that it refers to. */
function keyTypeOf(source: FactSource, target: ModelClass | undefined): ColumnType | string {
  if (typeof target !== 'function') return 'its model is not there yet; give it as () => Model.';
  const key = source.factsOf(target).find((fact) => fact.kind === 'column' && fact.isPrimaryKey);
  return key?.kind === 'column' ? key.type(source) : `${target.name} has no @Id to refer to.`;
}
