import { startWorkers } from 'bellwether';
import type { Database, Workers, WorkersOptions } from 'bellwether';
import { deliverMail } from '../../models/auction/deliver-mail';
import { ringBell } from '../../models/auction/ring-bell';
import { publish } from '../web/live';
import { logFailure } from '../web/problem';
import { concludeItem, remindOfEnd, sweep } from './jobs';
import { RINGS_TOPIC } from './topics';

/** Does the auction's jobs in this process. */
export async function startAuctionWorkers(db: Database, options: WorkersOptions = {}): Promise<Workers> {
  const tell = ({ job }: { readonly job: string }) => {
    if (job === ringBell.name) db.use(() => publish(RINGS_TOPIC)).catch(logFailure);
  };
  const offs = (['job:end', 'job:failed'] as const).map((name) => db.on(name, tell));
  const jobs = [concludeItem, remindOfEnd, sweep, ringBell, deliverMail];
  const workers = await startWorkers(db, { jobs, ...options });
  const stop = async () => {
    await workers.stop();
    for (const off of offs) off();
  };
  return { stop };
}
