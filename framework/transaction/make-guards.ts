import type { Connection } from '../database/connection';
import type { Pool } from '../database/pool';
import { connectionLost, isConnectionLoss, isPostgresError, translateDatabaseError } from '../database/sqlstate';
import { GuardsMissingError } from './errors';
import { GUARDS, GUARDS_TABLE } from './guards';
import { WEAKER_COMMITS } from './weaker-commits';

/** Two numbers that mean the making of this table. ASCII "bell" and "guar". */
const KEY = [0x62656c6c, 0x67756172] as const;

// The table stays small and is updated much: with room in each page an update needs no new index entry (HOT).
// Read committed, since those that wait for one another here must then see that it has been done; to_regclass alone
// would not, as it trusts what the session remembers until it opens a table (here pg_class) that it has not yet open.
export const MAKE_GUARDS = `select pg_advisory_xact_lock(${KEY.join(', ')});
do $$ begin if not exists (select from pg_class where oid = to_regclass('${GUARDS_TABLE}')) then
  create table ${GUARDS_TABLE} (bucket int primary key, turn bigint not null default 0) with (fillfactor = 20);
  comment on table ${GUARDS_TABLE} is 'One row for each guard of @Invariant and @LockedBy; kept by bellwether.';
end if;
if not exists (select from pg_class where oid = to_regclass('${WEAKER_COMMITS}')) then
  create sequence ${WEAKER_COMMITS};
  comment on sequence ${WEAKER_COMMITS} is 'Counts transactions below serializable whose rules have read; kept by bellwether.';
  grant usage on sequence ${WEAKER_COMMITS} to public;
end if; end $$;
insert into ${GUARDS_TABLE} (bucket) select generate_series(0, ${GUARDS - 1}) on conflict do nothing`;

/** How often a session may be lost on the way. */
const MOST_LOSSES = 3;

/** Of each database, while it is under way. */
const making = new WeakMap<Pool, Promise<void>>();

/**
 * Makes the table of guards, all rows in it; any number of processes may do so at once, and of a process's callers one does.
 *
 * @throws GuardsMissingError, ConnectionLostError
 */
export function makeGuards(pool: Pool): Promise<void> {
  let made = making.get(pool);
  if (!made) making.set(pool, (made = makeThem(pool).finally(() => making.delete(pool))));
  return made;
}

async function makeThem(pool: Pool): Promise<void> {
  for (let losses = 0; ; losses++) {
    try {
      return await pool.borrow(make);
    } catch (error) {
      if (!isConnectionLoss(error)) throw reasonOf(error);
      if (losses === MOST_LOSSES) throw connectionLost(error, 'not committed');
    }
  }
}

async function make(connection: Connection): Promise<void> {
  try {
    await connection.run({ text: `begin isolation level read committed; ${MAKE_GUARDS}; commit` });
  } catch (error) {
    await connection.run({ text: 'rollback', writes: false }).catch((failure: Error) => connection.discard(failure));
    throw error;
  }
}

/** That it was called off, or took too long, says nothing of whether it could be made. */
function reasonOf(error: unknown): unknown {
  if (!isPostgresError(error)) return error;
  return error.code === '57014' ? translateDatabaseError(error) : new GuardsMissingError(GUARDS_TABLE, error);
}
