import { tablesWritten } from '../associations/dependents';
import type { ModelSchema } from '../schema/model-schema';
import { joinWriters } from '../transaction/lock-tables';
import { Topic } from '../transaction/notes';
import type { Scope } from '../transaction/scope';
import type { Session } from '../transaction/session';

const JOINED = new Topic<true>();

/**
 * Notes that a record of the model is about to be destroyed with what depends on it: should the transaction be run
 * again, the locks that its writes take come before all others, in one order with those that keep writers out.
 *
 * @returns the tables that it has no such lock on yet
 */
export function noteWriting({ notes, transaction }: Scope, schema: ModelSchema): readonly string[] {
  const isJoined = (table: string) => transaction.precautions.hasWritten(table) || notes.find(JOINED, table) === true;
  const written = [...tablesWritten(schema)].filter((table) => !isJoined(table));
  transaction.taken.add({ written });
  return written;
}

/**
 * Runs `body` behind the locks that writes to these tables take, in the flight of its first statement.
 *
 * Whoever keeps writers out of one of them, to rely on what is not there, may come to wait for a row that `body` locks.
 */
export async function joiningWriters(
  session: Session,
  scope: Scope,
  tables: readonly string[],
  body: () => Promise<void>,
): Promise<void> {
  if (tables.length === 0) return body();
  const joined = session.execute(joinWriters(tables), scope);
  const done = body();
  await Promise.allSettled([joined, done]); // nothing is under way any more when it fails
  await joined;
  for (const table of tables) scope.notes.add(JOINED, table, true);
  return done;
}
