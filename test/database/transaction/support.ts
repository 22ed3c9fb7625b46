import { BellwetherError, connect } from 'bellwether';
import type { ConnectOptions, Database } from 'bellwether';
import { countRoundTrips, createTestDatabase } from 'bellwether/testing';
import type { RoundTripCounter, TestDatabase } from 'bellwether/testing';

/** The framework's error that a promise is rejected with. Anything else fails the test. */
export async function errorOf(promise: Promise<unknown>): Promise<BellwetherError> {
  const error = await reasonOf(promise);
  if (error instanceof BellwetherError) return error;
  throw new Error(`Rejected with an error that is not the framework's: ${String(error)}`, { cause: error });
}

/** What a promise is rejected with. */
export async function reasonOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('Resolved, although an error was expected.');
}

/** Asks until the query gives a row, at most ten seconds long. */
export async function until(database: TestDatabase, query: string, values: readonly unknown[] = []): Promise<unknown> {
  const deadline = Date.now() + 10_000;
  while (Date.now() < deadline) {
    const { rows } = await database.pool.query<Record<string, unknown>>(query, [...values]);
    if (rows[0]) return Object.values(rows[0])[0];
  }
  throw new Error(`Did not happen within ten seconds: ${query}`);
}

/** Waits until as many sessions of the database wait for a lock. @returns the process id of one of them */
export function untilBlocked(database: TestDatabase, sessions = 1): Promise<unknown> {
  return until(
    database,
    `select min(pid) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' having count(*) >= $1`,
    [sessions],
  );
}

/** Waits until no session of `applicationName` is inside a transaction or at work. */
export function untilIdle(database: TestDatabase, applicationName = 'bellwether'): Promise<unknown> {
  return until(
    database,
    `select true from pg_stat_activity where datname = current_database() and application_name = $1
      having count(*) = 0 or bool_and(state = 'idle')`,
    [applicationName],
  );
}

/** A promise and the means to fulfil it. */
export function signal(): { readonly promise: Promise<void>; readonly give: () => void } {
  let give!: () => void;
  const promise = new Promise<void>((resolve) => (give = resolve));
  return { promise, give };
}

/** Lets callers pass once as many as `size` have arrived. */
export function barrier(size: number): () => Promise<void> {
  const { promise, give } = signal();
  let arrived = 0;
  return () => {
    if (++arrived >= size) give();
    return promise;
  };
}

/** A database of the file's own, and a way to connect to it; all is closed after the last test. */
export function setUp(schema: string): {
  readonly database: () => TestDatabase;
  readonly db: () => Database;
  readonly open: (options?: ConnectOptions) => Promise<Database>;
} {
  let database: TestDatabase;
  let db: Database;
  const opened: Database[] = [];
  const open = async (options: ConnectOptions = {}) => {
    const another = await connect({ url: database.url, ...options });
    opened.push(another);
    return another;
  };
  beforeAll(async () => {
    database = await createTestDatabase(schema);
    db = await open();
  });
  afterAll(async () => {
    await Promise.all(opened.map((one) => one.close()));
    await database.drop();
  });
  return { database: () => database, db: () => db, open };
}

/**
 * Runs `body` with a connection of one session as the current database, and what counts the round trips of a part of it.
 * The session is open by then.
 */
export async function countingTrips(
  { url }: TestDatabase,
  body: (tripsOf: RoundTripCounter['count'], counted: Database) => Promise<unknown>,
  options: ConnectOptions = {},
): Promise<void> {
  const counter = await countRoundTrips(url);
  const counted = await connect({ poolSize: 1, ...options, url: counter.url });
  try {
    await counted.use(() => body((part) => counter.count(part), counted));
  } finally {
    await counted.close();
    await counter.close();
  }
}

/** SQL that fails with a SQLSTATE as often as it says, whatever is rolled back in between. */
export const FAILURES = `
  create sequence failures;
  create table planned (sqlstate text not null, times int not null);
  create function fail_as_planned() returns int language plpgsql as $$
    declare plan record;
    begin
      select * into plan from planned;
      if found and nextval('failures') <= plan.times then
        raise exception 'planned' using errcode = plan.sqlstate;
      end if;
      return 1;
    end $$;
`;

/** Has `fail_as_planned()` fail with `sqlState` the next `times` times. */
export async function planFailures(database: TestDatabase, sqlState: string, times: number): Promise<void> {
  await database.pool.query(`truncate planned; alter sequence failures restart;`);
  await database.pool.query('insert into planned values ($1, $2)', [sqlState, times]);
}
