import type { Stateful } from '../attributes/record-state';
import { STATE } from '../attributes/record-state';
import type { Column, ModelSchema } from '../schema/model-schema';
import { camelCase } from '../schema/naming';
import type { ColumnFact, Fact, FactOf, FactSource, ModelClass } from '../schema/facts';
import { modelRegistry } from '../schema/registry';
import type { AssociationFact } from './facts';
import { namedTargets } from './facts';

/** An association with both ends known. */
export interface Association extends Omit<AssociationFact, 'target' | 'foreignKey'> {
  readonly owner: ModelSchema;
  readonly target: ModelSchema;
  /** Holds the key: a column of the owner for belongsTo, else of the target. */
  readonly foreignKey: Column;
  /** Of a polymorphic one: the column beside the key, and what stands in it for the model that the key is of. */
  readonly typeKey?: { readonly column: Column; readonly value: string };
}

const resolved = new WeakMap<ModelSchema, ReadonlyMap<string, Association>>();

/** The associations of a model by property. Their other ends are looked at here first, not when models are sealed. */
export function associationsOf(schema: ModelSchema): ReadonlyMap<string, Association> {
  let associations = resolved.get(schema);
  if (!associations) {
    associations = new Map(schema.facts('association').map((fact) => [fact.property, resolve(schema, fact)]));
    resolved.set(schema, associations);
  }
  return associations;
}

const parents = new WeakMap<ModelSchema, readonly Association[]>();

/** The belongsTo associations of a model. */
export function parentsOf(schema: ModelSchema): readonly Association[] {
  let found = parents.get(schema);
  if (!found) {
    found = [...associationsOf(schema).values()].filter((association) => association.kindOf === 'belongsTo');
    parents.set(schema, found);
  }
  return found;
}

/** What the record on this side is known by to the other: its key, or the other's key that it holds. */
export function joiningValue({ kindOf, owner, foreignKey }: Association, record: object): unknown {
  const { property } = kindOf === 'belongsTo' ? foreignKey : owner.primaryKey;
  return (record as Stateful)[STATE].get(property) ?? null;
}

/** The attribute of the target that equals {@link joiningValue}. */
export function joiningProperty({ kindOf, target, foreignKey }: Association): string {
  return kindOf === 'belongsTo' ? target.primaryKey.property : foreignKey.property;
}

/** The attribute that a belongsTo keeps its key in when it names none. */
export function defaultForeignKey(property: string): string {
  return `${property}Id`;
}

function resolve(owner: ModelSchema, fact: AssociationFact): Association {
  const target = modelRegistry.schemaOf(fact.target());
  const holder = fact.kindOf === 'belongsTo' ? owner : target;
  const name = foreignKeyName(modelRegistry, owner.model, fact);
  const association = { ...fact, owner, target, foreignKey: holder.column(name)! };
  const back = polymorphicFact(modelRegistry, fact);
  if (!back) return association;
  const [value] = namedTargets(back).find(([, model]) => model === owner.model)!;
  return { ...association, typeKey: { column: target.column(back.foreignType)!, value } };
}

/** Where the key is: named, or the belongsTo's on the other side, or the owner's name with `Id`. */
function foreignKeyName(source: FactSource, owner: ModelClass, fact: AssociationFact): string {
  if (fact.foreignKey !== undefined) return fact.foreignKey;
  const polymorphic = polymorphicFact(source, fact);
  if (polymorphic) return polymorphic.foreignKey;
  if (fact.kindOf === 'belongsTo') return defaultForeignKey(fact.property);
  const back = source
    .factsOf(fact.target())
    .find((other) => other.kind === 'association' && other.kindOf === 'belongsTo' && other.target() === owner);
  if (back?.kind === 'association') return back.foreignKey ?? defaultForeignKey(back.property);
  return defaultForeignKey(camelCase(owner.name));
}

function polymorphicFact(source: FactSource, { as, target }: AssociationFact) {
  const isMeant = (fact: Fact) => fact.kind === 'polymorphic' && fact.property === as;
  return as === undefined ? undefined : (source.factsOf(target()).find(isMeant) as FactOf<'polymorphic'> | undefined);
}

modelRegistry.addRule((schema, registry) =>
  schema.facts('association').flatMap((fact): string[] => {
    const target = fact.target() as ModelClass | undefined;
    if (typeof target !== 'function') return [`.${fact.property}: its model is not there yet; give it as () => Model.`];
    const holder = fact.kindOf === 'belongsTo' ? schema.model : target;
    const facts = registry.factsOf(target);
    if (!facts.some(({ kind }) => kind === 'table')) return [`.${fact.property}: ${target.name} has no @Table.`];
    const isTaken = schema.column(fact.property) !== undefined || schema.virtuals.includes(fact.property);
    if (isTaken) return [`.${fact.property}: is both an association and an attribute.`];
    if (fact.as !== undefined) {
      const back = polymorphicFact(registry, fact);
      if (!back) return [`.${fact.property}: ${target.name} has no polymorphic @BelongsTo "${fact.as}".`];
      const isListed = namedTargets(back).some(([, model]) => model === schema.model);
      if (!isListed) return [`.${fact.property}: ${target.name}.${fact.as} does not list ${schema.name}.`];
    }
    const name = foreignKeyName(registry, schema.model, fact);
    const key = columnFact(registry, holder, (column) => column.property === name);
    if (!key) return [`.${fact.property}: ${holder.name} has no attribute "${name}" to hold the key.`];
    const referred = fact.kindOf === 'belongsTo' ? target : schema.model;
    const id = columnFact(registry, referred, (column) => column.isPrimaryKey === true);
    const [held, wanted] = [key, id].map((column) => typeNameOf(column, registry));
    const fits = held === undefined || wanted === undefined || held === wanted;
    return fits
      ? []
      : [`.${fact.property}: ${holder.name}.${name} is ${held}, but ${referred.name}'s @Id is ${wanted}.`];
  }),
);

export function columnFact(registry: FactSource, model: ModelClass, isMeant: (fact: ColumnFact) => boolean) {
  return registry.factsOf(model).find((fact) => fact.kind === 'column' && isMeant(fact)) as ColumnFact | undefined;
}

export function typeNameOf(column: ColumnFact | undefined, source: FactSource): string | undefined {
  const type = column?.type(source);
  if (typeof type !== 'object') return undefined;
  return type.name === 'varchar' || type.name === 'citext' ? 'text' : type.name;
}
