import type { Lsn } from '../core/lsn';
import { parseLsn } from '../core/lsn';
import type { Connection, Statement, StatementResult } from '../database/connection';
import { ConnectionFailedError, ConnectionLostError, StalePreparedStatementError } from '../database/errors';
import type { Replica, Replicas } from '../database/replicas';
import { isConnectionLoss, isPostgresError, translateDatabaseError } from '../database/sqlstate';
import type { ConsistencySession } from './consistency-session';
import { currentConsistencySession, POSITION } from './consistency-session';
import { ReplicaBehindError } from './errors';
import { borrowInFlight, inFlightFirst } from './flight';
import { untilReplayed } from './replay-wait';

/**
 * Runs a read on a replica that has replayed what the session needs.
 *
 * The question how far the replica is travels before the read, and again behind it, in one flight: the first answer
 * says whether the read counts, the second one how new what it saw can be. So a replica that is far enough costs one
 * round trip, like the primary.
 *
 * @returns undefined when the read is to go to the primary, as outside of a session
 * @throws ReplicaBehindError when that is not wanted
 */
export function readOnReplica(
  owner: object,
  replicas: Replicas,
  statement: Statement,
): Promise<StatementResult | undefined> {
  return onReplica(owner, replicas, (session, replica, needed) => readOn(session, replica, needed, statement));
}

/** A replica on which a transaction that only reads can be run, by one round trip of its own. As {@link readOnReplica}. */
export function replicaFor(owner: object, replicas: Replicas): Promise<Replica | undefined> {
  return onReplica(owner, replicas, async (session, replica, needed) => {
    const answered = await readOn(session, replica, needed, undefined);
    return answered && replica;
  });
}

async function onReplica<T>(
  owner: object,
  replicas: Replicas,
  tryOn: (session: ConsistencySession, replica: Replica, needed: Lsn) => Promise<T | undefined>,
): Promise<T | undefined> {
  const session = currentConsistencySession(owner);
  if (!session) return undefined;
  const { timeoutMs, ifBehind } = session.options;
  const tryEach = async () => {
    for (const replica of inFlightFirst(replicas.up)) {
      const { needed } = session; // by now: a read beside this one may have been answered
      if (needed === 'unknown') return undefined;
      const answer = await tryOn(session, replica, needed);
      if (answer !== undefined) return answer;
    }
    return undefined;
  };
  const mayHelp = session.needed !== 'unknown' && replicas.up.length > 0;
  const answer = await untilReplayed(tryEach, { timeoutMs: mayHelp ? timeoutMs : 0 });
  if (answer === undefined && ifBehind === 'fail') throw new ReplicaBehindError(timeoutMs);
  return answer;
}

/** @returns undefined when this replica cannot answer: it is behind, or has gone, or took the read back */
async function readOn(
  session: ConsistencySession,
  replica: Replica,
  needed: Lsn,
  statement: Statement | undefined,
): Promise<StatementResult | undefined> {
  try {
    const run = async (connection: Connection) => {
      const before = connection.run(POSITION);
      const read = statement && connection.run(statement);
      const after = read && connection.run(POSITION);
      await Promise.allSettled([before, read, after]);
      const [isReplica, replayed] = (await before).rows[0] as [string, string];
      if (isReplica !== 't') {
        replica.leave('not a replica', undefined);
        return undefined;
      }
      if ((parseLsn(replayed) ?? 0n) < needed) return undefined;
      try {
        const result = await (read ?? before);
        if (after) session.note(parseLsn((await after).rows[0]![1] as string) ?? 'unknown', 'read');
        return result;
      } catch (error) {
        if (translateDatabaseError(error) instanceof StalePreparedStatementError) connection.outdate(error as Error);
        throw error;
      }
    };
    return await borrowInFlight(replica.pool, run, []);
  } catch (error) {
    if (isReplicaLost(error)) replica.leave('unreachable', error);
    else if (!isTakenBack(error)) throw translateDatabaseError(error);
    return undefined;
  }
}

/** Whether the replica cannot be reached, by what a statement or a transaction on it ended with. */
export function isReplicaLost(error: unknown): boolean {
  return isConnectionLoss(error) || error instanceof ConnectionFailedError || error instanceof ConnectionLostError;
}

/** 40001 on a replica: replay needed what the read looked at. 26000, 0A000: what was prepared is outdated. */
function isTakenBack(error: unknown): boolean {
  return isPostgresError(error) && ['40001', '40P01', '26000', '0A000'].includes(error.code);
}
