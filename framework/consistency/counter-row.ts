import { sql } from 'kysely';
import type { Statement } from '../database/statement';
import { columnOf } from '../query/condition-sql';
import type { Binder } from '../query/compiler';
import { offline, statementFor } from '../query/compiler';
import { RecordNotFoundError } from '../query/errors';
import { selectList } from '../query/reading';
import type { Session } from '../transaction/session';
import type { CounterChange } from './counter-change';
import { encodedKey } from './counter-change';
import { CounterExhaustedError } from './counter-errors';

/**
 * Decides and writes in one conditional update of the row.
 *
 * By itself it runs at read committed, whatever the connection's level: the update waits for those before it and
 * decides by what they left, where the stronger levels would be refused and try again. Inside a transaction the
 * transaction's level decides; at repeatable read and serializable a row that has changed since its snapshot has the
 * runner begin it anew.
 *
 * Cost: one round trip; two when it is refused.
 *
 * @returns the row as it is then, for the model's hydrator
 * @throws CounterExhaustedError, RecordNotFoundError
 */
export async function changeRow(session: Session, change: CounterChange): Promise<string[]> {
  const { rows } = await session.execute(updateOf(change));
  if (rows[0]) return rows[0] as string[];
  return refuse(session, change);
}

function updateOf({ schema, counter, key, way, by }: CounterChange): Statement {
  const amount = String(by);
  const isBounded = way === 'decrement' || counter.max !== undefined;
  const values = [amount, encodedKey(schema, key), ...(isBounded ? [amount] : [])];
  const about = { table: schema.table, key };
  const build = (binder: Binder) => {
    const column = sql.ref(columnOf(schema, counter.property).name);
    const by = () => sql`${binder.bind(undefined)}::bigint`;
    const sets = [sql`${column} = ${column} ${sql.raw(way === 'increment' ? '+' : '-')} ${by()}`];
    const { versionColumn } = schema;
    if (versionColumn) sets.push(sql`${sql.ref(versionColumn.name)} = ${sql.ref(versionColumn.name)} + 1`);
    const isIt = sql`${sql.ref(schema.primaryKey.name)} = ${binder.bind(undefined)}`;
    const bound =
      way === 'decrement'
        ? sql`and ${column} >= ${literal(counter.min)} + ${by()}`
        : isBounded
          ? sql`and ${column} <= ${literal(counter.max!)} - ${by()}`
          : sql``;
    const returned = sql.join(selectList(schema));
    const update = sql`update ${sql.table(schema.table)} set ${sql.join(sets)} where ${isIt} ${bound} returning ${returned}`;
    return { compile: () => update.compile(offline) };
  };
  const statement = statementFor(`${way} ${counter.property} ${schema.id}`, values, true, build, about);
  return { ...statement, isolation: 'read committed' };
}

function literal(bound: number | bigint) {
  return sql.raw(`${bound}::bigint`);
}

/** No row came back. A row that a snapshot shows may have changed since: locking it has PostgreSQL say so (40001). */
async function refuse(session: Session, { schema, counter, key, way }: CounterChange): Promise<never> {
  const isSnapshot = session.scope !== undefined && session.scope.transaction.isolation !== 'read committed';
  const shape = `counter ${isSnapshot ? 'locked' : 'there'} ${schema.id}`;
  const statement = statementFor(shape, [encodedKey(schema, key)], false, (binder) => {
    const isIt = sql`${sql.ref(schema.primaryKey.name)} = ${binder.bind(undefined)}`;
    const lock = isSnapshot ? sql`for no key update` : sql``;
    return { compile: () => sql`select 1 from ${sql.table(schema.table)} where ${isIt} ${lock}`.compile(offline) };
  });
  const { rows } = await session.execute({ ...statement, locks: isSnapshot });
  if (rows.length === 0) throw new RecordNotFoundError(schema.name, schema.primaryKey.property);
  throw new CounterExhaustedError(schema.name, counter.property, way === 'decrement' ? 'min' : 'max');
}
