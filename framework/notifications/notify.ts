import { currentSession } from '../transaction/current';
import type { Channel } from './channel';
import { checkedName, encoded } from './channel';

// That the transaction gets its number here, and not with its COMMIT, lets a COMMIT whose answer is lost be looked up.
const NOTIFY = 'select pg_notify($1, $2), pg_current_xact_id()';

/**
 * Tells all who listen to the channel (`db.listen`), in whatever process. Inside a transaction they hear of it if and
 * only if that commits, after the commit; outside of any, at once. One statement. Whoever does not listen at that
 * moment never hears of it: what must not be lost is a job.
 *
 * The same payload sent twice in one transaction is delivered once, as PostgreSQL has it.
 *
 * PostgreSQL lines up all transactions of the server that notify, one behind the other, for the time of their COMMIT
 * (src/backend/commands/async.c, PreCommit_Notify), and so each waits for the disk alone. Where there are many, notify
 * after the commit: `tx.afterCommit(() => notify(…))`.
 *
 * @param payload JSON of at most 7,999 bytes, or nothing; it comes out at the listeners as it was given
 * @throws InvalidChannelError, InvalidNotificationError
 */
export function notify(channel: string, payload?: unknown): Promise<void>;
export function notify<P>(channel: Channel<P>, payload: NoInfer<P>): Promise<void>;
export async function notify(channel: string | Channel<unknown>, payload?: unknown): Promise<void> {
  const name = typeof channel === 'string' ? checkedName(channel) : channel.name;
  const values = [name, encoded(name, payload)];
  await currentSession().execute({ name: 'bw_notify', text: NOTIFY, values });
}
