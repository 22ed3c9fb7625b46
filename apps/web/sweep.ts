import type { Database } from 'bellwether';
import { IdempotencyKey } from '../../models/web/idempotency-key';
import { RateLimit } from '../../models/web/rate-limit';
import { WebSession } from '../../models/web/web-session';
import { logFailure } from './problem';

const EVERY_MS = 3_600_000;
/** How long the answer to a request is kept for its repetition. */
const KEPT_MS = 86_400_000;

/** Takes away, every hour, what the kit need not remember any more. Any number of processes may do it at once. */
export function startSweeping(db: Database, closing: AbortSignal): void {
  const timer = setInterval(() => void db.use(sweep).catch(logFailure), EVERY_MS).unref();
  closing.addEventListener('abort', () => clearInterval(timer), { once: true });
}

export async function sweep(now = new Date()): Promise<void> {
  await WebSession.where('endsAt', '<', now).deleteAll();
  await RateLimit.where('endsAt', '<', now).deleteAll();
  await IdempotencyKey.where('createdAt', '<', new Date(now.getTime() - KEPT_MS)).deleteAll();
}
