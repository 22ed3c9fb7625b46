import { groupBy } from '../core/group-by';
import { or } from '../query/conditions';
import type { Query } from '../query/query';
import { within } from '../query/within';
import type { FactSource, ModelClass } from '../schema/facts';
import type { ModelSchema } from '../schema/model-schema';
import { modelRegistry } from '../schema/registry';
import type { Association } from './association';
import { associationsOf, joiningProperty, joiningValue } from './association';
import type { AssociationFact } from './facts';
import { recordModelOf } from './record-model';
import { isJoined, targetsOf } from './targets';

/** A hasMany that joins two others: through one of this model, that model's `source`. */
export interface ThroughFact {
  readonly property: string;
  readonly target: () => ModelClass;
  /** An association of this model. */
  readonly through: string;
  /** One of the model at its other end. Default: the only one to the target. */
  readonly source: string | undefined;
}

declare module '../schema/facts' {
  interface FactSlots {
    through: ThroughFact;
  }
}

export interface ThroughAssociation {
  readonly kindOf: 'through';
  readonly property: string;
  readonly owner: ModelSchema;
  readonly through: Association;
  readonly source: Association;
}

const resolved = new WeakMap<ModelSchema, ReadonlyMap<string, ThroughAssociation>>();

/** The associations of a model through others, by property. */
export function throughsOf(schema: ModelSchema): ReadonlyMap<string, ThroughAssociation> {
  let throughs = resolved.get(schema);
  if (!throughs) {
    throughs = new Map(schema.facts('through').map((fact) => [fact.property, resolve(schema, fact)]));
    resolved.set(schema, throughs);
  }
  return throughs;
}

function resolve(owner: ModelSchema, fact: ThroughFact): ThroughAssociation {
  const through = associationsOf(owner).get(fact.through)!;
  const [source] = sourcesOf(modelRegistry, through.target.model, fact);
  const { property } = fact;
  return { kindOf: 'through', property, owner, through, source: associationsOf(through.target).get(source!.property)! };
}

/** The records at the far end of one owner, each once. */
export function throughTargets({ through, source }: ThroughAssociation, owner: object): Query<object> {
  const key = joiningValue(through, owner);
  const records = recordModelOf(source.target).query();
  if (key === null) return records.where(() => or([]));
  const { target: schema } = through;
  const joins = { schema, property: joinProperty(source), condition: isJoined(through, [key]) };
  return targetsOf(source, 'any').whereSql(within(source.target, joiningProperty(source), joins));
}

/**
 * The records at the far end of each owner, each once, in the order of `wanted` and by primary key: with one query for
 * the rows in between, which makes no records of them, and one for the records; with one for both where there is a limit.
 */
export async function loadThrough(
  owners: readonly object[],
  association: ThroughAssociation,
  wanted: Query<object>,
): Promise<(owner: object) => readonly object[]> {
  const { through, source } = association;
  const keys = distinct(owners.map((owner) => joiningValue(through, owner)));
  const inOrder = wanted.order(source.target.primaryKey.property as never);
  const { limit, offset } = wanted.plan;
  const isLimited = limit !== undefined || offset !== undefined;
  const load = isLimited ? loadLimited : loadAll;
  const byOwnerKey: ByOwnerKey = keys.length === 0 ? new Map() : await load(association, keys, inOrder);
  return (owner) => Object.freeze(byOwnerKey.get(joiningValue(through, owner)) ?? []);
}

type ByOwnerKey = ReadonlyMap<unknown, object[]>;

async function loadAll(
  { through, source }: ThroughAssociation,
  keys: readonly unknown[],
  wanted: Query<object>,
): Promise<ByOwnerKey> {
  const columns = [joiningProperty(through), joinProperty(source)] as never[];
  const joins = (await targetsOf(through, keys).pluck(...columns)) as unknown[][];
  const far = distinct(joins.map(([, key]) => key));
  const found = far.length === 0 ? [] : await targetsOf(source, far, wanted);
  const rank = new Map(found.map((record, index) => [record, index]));
  const byFarKey = groupBy(found, (record) => (record as Record<string, unknown>)[joiningProperty(source)]);
  const byOwnerKey = [...groupBy(joins, ([key]) => key)].map(([key, rows]): [unknown, object[]] => {
    const records = new Set(rows.flatMap(([, farKey]) => byFarKey.get(farKey) ?? []));
    return [key, [...records].sort((one, other) => rank.get(one)! - rank.get(other)!)];
  });
  return new Map(byOwnerKey);
}

async function loadLimited(
  { through, source }: ThroughAssociation,
  keys: readonly unknown[],
  wanted: Query<object>,
): Promise<ByOwnerKey> {
  const { owner, target, typeKey } = through;
  const ownerColumn = through.kindOf === 'belongsTo' ? through.foreignKey : owner.primaryKey;
  const found = await targetsOf(source, 'any', wanted).perOwner({
    owner,
    ownerColumn,
    keys: keys.map((key) => ownerColumn.type.encode(key)),
    column: source.target.column(joiningProperty(source))!.name,
    through: {
      table: target.table,
      ownerColumn: target.column(joiningProperty(through))!.name,
      column: target.column(joinProperty(source))!.name,
      ...(typeKey && through.kindOf !== 'belongsTo' && { type: { column: typeKey.column.name, value: typeKey.value } }),
    },
  });
  const kept = groupBy(found, ({ key }) => key);
  return new Map([...kept].map(([key, rows]) => [key, rows.map(({ record }) => record)]));
}

/** The attribute of the rows in between that leads on to the far end. */
function joinProperty({ kindOf, foreignKey, owner }: Association): string {
  return kindOf === 'belongsTo' ? foreignKey.property : owner.primaryKey.property;
}

function distinct(keys: readonly unknown[]): unknown[] {
  return [...new Set(keys)].filter((key) => key !== null);
}

function sourcesOf(registry: FactSource, between: ModelClass, { target, source }: ThroughFact): AssociationFact[] {
  return registry
    .factsOf(between)
    .filter((fact) => fact.kind === 'association')
    .filter((fact) => fact.target() === target() && (source === undefined || fact.property === source));
}

modelRegistry.addRule((schema, registry) =>
  schema.facts('through').flatMap((fact): string[] => {
    const { property, through, source } = fact;
    const isTaken = schema.column(property) !== undefined || schema.virtuals.includes(property);
    if (isTaken) return [`.${property}: is both an association and an attribute.`];
    const first = schema.facts('association').find((other) => other.property === through);
    if (!first) return [`.${property}: goes through "${through}", which is no association of ${schema.name}.`];
    const [between, target] = [first.target() as ModelClass | undefined, fact.target() as ModelClass | undefined];
    if (!between || !target) return [`.${property}: its model is not there yet; give it as () => Model.`];
    const sources = sourcesOf(registry, between, fact).map((other) => other.property);
    if (sources.length === 1) return [];
    const wanted = source === undefined ? '' : ` called "${source}"`;
    return sources.length === 0
      ? [`.${property}: ${between.name} has no association to ${target.name}${wanted}.`]
      : [`.${property}: ${between.name} leads to ${target.name} by ${sources.join(' and ')}; say which by source.`];
  }),
);
