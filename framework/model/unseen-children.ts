import type { Association } from '../associations/association';
import { claimsOn } from '../associations/dependents';
import type { ModelSchema } from '../schema/model-schema';
import { quotedName } from '../database/quoted-name';
import { readTogether } from '../transaction/flight';
import type { Scope } from '../transaction/scope';
import type { Session } from '../transaction/session';

/**
 * Makes certain that a look for the records of these has-many associations, once the owner is locked `for update`,
 * finds all of them.
 *
 * At `read committed` it does. At the stronger levels the look is at a picture that was taken before: records that were
 * saved since, at whatever level, are not in it. A foreign key would refuse to leave them behind; where none stands
 * beneath, the transaction is run again with the tables of those records locked against writers first. LOCK TABLE comes
 * before the picture, so nothing is missing from it.
 */
export async function seeAll(
  session: Session,
  { transaction }: Scope,
  associations: readonly Association[],
): Promise<void> {
  if (transaction.isolation === 'read committed') return;
  const unheld = associations.filter(({ target }) => !transaction.precautions.hasTable(target.table));
  const tables = (await unkeyed(session, unheld)).map(({ target }) => target.table);
  if (tables.length > 0) transaction.runAgainWith({ tables });
}

/** The claims on rows of a model that nothing but a look can heed: no foreign key stands beneath. */
export function unkeyedClaims(session: Session, schema: ModelSchema): Promise<readonly Association[]> {
  return unkeyed(session, claimsOn(schema));
}

async function unkeyed(session: Session, associations: readonly Association[]): Promise<readonly Association[]> {
  const isKeyedEach = await readTogether(associations.map((association) => () => isKeyed(session, association)));
  return associations.filter((_, index) => !isKeyedEach[index]);
}

const FOREIGN_KEY = `select from pg_constraint c
  join pg_attribute a on a.attrelid = c.conrelid and c.conkey = array[a.attnum]
  where c.contype = 'f' and c.conrelid = to_regclass($1) and c.confrelid = to_regclass($2) and a.attname = $3
    and coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true)`;

const keyed = new WeakMap<Session, Map<ModelSchema, Set<string>>>();

/** Whether a foreign key stands beneath. It is asked for until one is found; that it goes again is not looked for. */
async function isKeyed(session: Session, association: Association): Promise<boolean> {
  const { owner, target, foreignKey, typeKey } = association;
  if (typeKey) return false;
  const bySchema = keyed.get(session) ?? new Map<ModelSchema, Set<string>>();
  keyed.set(session, bySchema);
  const columns = bySchema.get(target) ?? new Set();
  bySchema.set(target, columns);
  if (columns.has(foreignKey.name)) return true;
  const values = [quotedName(target.table), quotedName(owner.table), foreignKey.name];
  const { rows } = await session.execute({ text: FOREIGN_KEY, values, writes: false });
  if (rows.length > 0) columns.add(foreignKey.name);
  return rows.length > 0;
}
