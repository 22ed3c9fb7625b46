import type { AssociationHandle, AttributeName, OwningName } from '../attributes/types';
import type { ColumnType } from '../schema/column-types';
import { columnType } from '../schema/column-types';
import type { FactSource, ModelClass } from '../schema/facts';
import { snakeCase } from '../schema/naming';
import { modelRegistry } from '../schema/registry';
import { defaultForeignKey } from './association';
import type { AssociationFact, Dependent, ModelChoice } from './facts';
import type * as types from './types';

type ClassOf<R extends object> = abstract new (...args: never[]) => R;

export interface BelongsToOptions {
  /** The attribute that holds the key. Default: the property with `Id`; declared by this if by nobody else. */
  readonly foreignKey?: string;
  /** Whether there may be none; then the property is a `BelongsTo<Parent | null>`. Default false. */
  readonly optional?: boolean;
}

export interface PolymorphicOptions extends BelongsToOptions {
  readonly polymorphic: true;
  /** The attribute that says of which model the parent is. Default: the property with `Type`; declared by this. */
  readonly foreignType?: string;
}

type Choice = readonly ClassOf<object>[] | Readonly<Record<string, ClassOf<object>>>;
type ChosenOf<C extends Choice> = C extends readonly ClassOf<infer R>[]
  ? R
  : C extends Readonly<Record<string, ClassOf<infer R>>>
    ? R
    : never;

export interface HasOptions<R extends object> {
  /** The attribute of the other model that holds the key. Default: that of its `@BelongsTo` of this model. */
  readonly foreignKey?: AttributeName<R> | (string & {});
  /** The polymorphic `@BelongsTo` of the other model by which it belongs to this one. */
  readonly as?: OwningName<R>;
  /**
   * When this record is destroyed: `destroy` its records with their callbacks, `delete` them in one statement,
   * `nullify` their keys, or `restrict`: refuse. Default: left to the foreign key in the database; `restrict` without one.
   */
  readonly dependent?: Dependent;
}

export interface ThroughOptions {
  /** The association of this model that leads to the records in between. */
  readonly through: string;
  /** The one of those records that leads on. Default: their only one to the model meant. */
  readonly source?: string;
}

type LeadingOn<R extends object, O extends ThroughOptions> = O extends { readonly source: infer S extends string }
  ? { readonly [P in S]: AssociationHandle<R> }
  : object;

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
/**
 * With `polymorphic`, to a record of one of several models: two columns, `subject_type` and `subject_id`, say which.
 * The type is the class's name, or the name given: `() => ({ post: Post, photo: Photo })`. No foreign key can stand
 * beneath: the parent is locked in the same way, and a record that others refer to cannot be destroyed.
 */
export function BelongsTo<const C extends Choice, const O extends PolymorphicOptions>(
  targets: () => C,
  options: O,
): <K extends string>(
  prototype: { readonly [P in K]: types.BelongsTo<O extends { optional: true } ? ChosenOf<C> | null : ChosenOf<C>> },
  property: K,
) => void;
export function BelongsTo(target: () => unknown, options: BelongsToOptions | PolymorphicOptions = {}) {
  return (prototype: object, property: string): void => {
    const foreignKey = options.foreignKey ?? defaultForeignKey(property);
    const isOptional = options.optional ?? false;
    const implied = { kind: 'column', isNullable: isOptional, isImplied: true } as const;
    const model = prototype.constructor as ModelClass;
    let first = target as () => ModelClass;
    if ('polymorphic' in options) {
      const foreignType = options.foreignType ?? `${property}Type`;
      const targets = target as () => ModelChoice;
      first = () => Object.values(targets())[0] as ModelClass;
      modelRegistry.declare(model, { kind: 'polymorphic', property, targets, foreignKey, foreignType, isOptional });
      const type = () => columnType('text')!;
      modelRegistry.declare(model, { ...implied, property: foreignType, name: snakeCase(foreignType), type });
    } else {
      declareAssociation(prototype, property, 'belongsTo', first, options);
    }
    const type = (source: FactSource) => keyTypeOf(source, first());
    modelRegistry.declare(model, { ...implied, property: foreignKey, name: snakeCase(foreignKey), type });
  };
}
export type BelongsTo<R extends object | null> = types.BelongsTo<R>;

/** Other records belong to this one. */
export function HasMany<R extends object>(
  target: () => ClassOf<R>,
  options?: HasOptions<R>,
): <K extends string>(prototype: { readonly [P in K]: types.HasMany<R> }, property: K) => void;
/**
 * With `through`, the records at the far end of another association: `through` names one of this model, `source` the one
 * of its records that leads on, if there are several to the same model.
 */
export function HasMany<R extends object, const O extends ThroughOptions>(
  target: () => ClassOf<R>,
  options: O,
): <K extends string>(
  prototype: { readonly [P in K]: types.HasManyThrough<R> } & {
    readonly [P in O['through']]: AssociationHandle<LeadingOn<R, O>>;
  },
  property: K,
) => void;
export function HasMany(target: () => ModelClass, options: HasOptions<object> | ThroughOptions = {}) {
  return (prototype: object, property: string): void => {
    if (!('through' in options)) return declareAssociation(prototype, property, 'hasMany', target, options);
    const { through, source } = options;
    modelRegistry.declare(prototype.constructor as ModelClass, { kind: 'through', property, target, through, source });
  };
}
export type HasMany<R extends object> = types.HasMany<R>;
export type HasManyThrough<R extends object> = types.HasManyThrough<R>;

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
  options: BelongsToOptions & { readonly dependent?: Dependent; readonly as?: string },
): void {
  modelRegistry.declare(prototype.constructor as ModelClass, {
    kind: 'association',
    property,
    kindOf,
    target,
    foreignKey: options.foreignKey,
    isOptional: options.optional ?? false,
    dependent: options.dependent,
    as: options.as,
  });
}

/** The type of a key is that of the primary key that it refers to. */
function keyTypeOf(source: FactSource, target: ModelClass | undefined): ColumnType | string {
  if (typeof target !== 'function') return 'its model is not there yet; give it as () => Model.';
  const key = source.factsOf(target).find((fact) => fact.kind === 'column' && fact.isPrimaryKey);
  return key?.kind === 'column' ? key.type(source) : `${target.name} has no @Id to refer to.`;
}
