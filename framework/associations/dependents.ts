import type { Association } from './association';
import { associationsOf, parentsOf } from './association';
import { polymorphicParentsOf } from './polymorphic';
import type { ModelSchema } from '../schema/model-schema';
import { modelRegistry } from '../schema/registry';

/** The associations that say what becomes of their records when the owner is destroyed. */
export function declaredDependents(schema: ModelSchema): readonly Association[] {
  return [...associationsOf(schema).values()].filter(({ dependent }) => dependent !== undefined);
}

/** Those that are looked after: the declared ones, and the claims on the same rows that none of these speaks for. */
export function withClaims(declared: readonly Association[], claims: readonly Association[]): readonly Association[] {
  return [...declared, ...claims.filter((claim) => !declared.some((association) => isSameKey(association, claim)))];
}

/** The tables that a destroy of such a record writes to: its own, and those of what depends on it, all the way down. */
export function tablesWritten(schema: ModelSchema, seen = new Set<ModelSchema>()): ReadonlySet<string> {
  seen.add(schema);
  const below = declaredDependents(schema)
    .filter(({ dependent }) => dependent !== 'restrict')
    .flatMap(({ dependent, target }) => {
      if (dependent !== 'destroy') return target.table;
      return seen.has(target) ? [] : [...tablesWritten(target, seen)];
    });
  return new Set([schema.table, ...below]);
}

const claims = new WeakMap<ModelSchema, { readonly models: number; readonly found: readonly Association[] }>();

/**
 * The associations by which records of other models belong to rows of this table, whatever this model says of them. They
 * keep the rows from going, where no foreign key does.
 */
export function claimsOn(schema: ModelSchema): readonly Association[] {
  const models = modelRegistry.all();
  const known = claims.get(schema);
  if (known?.models === models.length) return known.found;
  const found = models
    .flatMap((child) => [
      ...parentsOf(child),
      ...[...polymorphicParentsOf(child).values()].flatMap(({ towards }) => [...towards.values()]),
    ])
    .filter(({ target }) => target.table === schema.table)
    .map((association) => claimOf(schema, association));
  claims.set(schema, { models: models.length, found });
  return found;
}

/** The other side of a belongsTo, as its has-many would be. */
function claimOf(schema: ModelSchema, towards: Association): Association {
  const property = `rows in "${towards.owner.table}"`;
  return { ...towards, kindOf: 'hasMany', property, owner: schema, target: towards.owner, dependent: 'restrict' };
}

/** Whether they lead to the same rows: several models may have one table. */
function isSameKey(one: Association, other: Association): boolean {
  const [mine, its] = [one, other].map(({ target, foreignKey, typeKey }) =>
    [target.table, foreignKey.name, typeKey?.column.name, typeKey?.value].join('\0'),
  );
  return mine === its;
}
