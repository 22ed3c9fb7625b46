import type { Pool } from '../database/pool';
import { isPostgresError } from '../database/sqlstate';
import { GuardsMissingError } from './errors';
import { GUARDS, GUARDS_TABLE } from './guards';

/** Two numbers that mean the making of this table. ASCII "bell" and "guar". */
const KEY = [0x62656c6c, 0x67756172] as const;

// The table stays small and is updated much: with room in each page an update needs no new index entry (HOT).
// Read committed, since those that wait for one another here must then see that it has been done; to_regclass alone
// would not, as it trusts what the session remembers until it opens a table (here pg_class) that it has not yet open.
export const MAKE_GUARDS = `select pg_advisory_xact_lock(${KEY.join(', ')});
do $$ begin if not exists (select from pg_class where oid = to_regclass('${GUARDS_TABLE}')) then
  create table ${GUARDS_TABLE} (bucket int primary key, turn bigint not null default 0) with (fillfactor = 20);
  comment on table ${GUARDS_TABLE} is 'One row for each guard of @Invariant and @LockedBy; kept by bellwether.';
end if; end $$;
insert into ${GUARDS_TABLE} (bucket) select generate_series(0, ${GUARDS - 1}) on conflict do nothing`;

/** Makes the table of guards, all rows in it; any number of processes may do so at once. @throws GuardsMissingError */
export async function makeGuards(pool: Pool): Promise<void> {
  await pool.borrow(async (connection) => {
    try {
      await connection.run({ text: `begin isolation level read committed; ${MAKE_GUARDS}; commit` });
    } catch (error) {
      await connection.run({ text: 'rollback', writes: false }).catch((failure: Error) => connection.discard(failure));
      throw isPostgresError(error) ? new GuardsMissingError(GUARDS_TABLE, error) : error;
    }
  });
}
