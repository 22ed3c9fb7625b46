import { BellwetherError } from 'bellwether';
import { RateLimit } from '../../models/web/rate-limit';

export interface Limit {
  /** Most tries within the window. */
  readonly most: number;
  readonly windowMs: number;
}

/** Too often. `details.retryAfterS` says when it may be tried again, in whole seconds. */
export class TooManyRequestsError extends BellwetherError {
  override readonly code = 'E_TOO_MANY_REQUESTS';
  override readonly recovery = 'try-later';
  declare readonly details: { readonly retryAfterS: number };

  constructor(retryAfterS: number) {
    const details = { retryAfterS };
    super({ what: 'That was tried too often.', remedy: `Try again in ${retryAfterS} seconds.`, details });
  }
}

/**
 * Counts a try, in all processes together. Each statement decides by itself, so no transaction is needed: of any number
 * at once, `most` get through.
 *
 * @throws TooManyRequestsError when there were as many in the window as may be
 */
export async function countTry(key: string, { most, windowMs }: Limit): Promise<void> {
  const now = new Date();
  const endsAt = new Date(now.getTime() + windowMs);
  await RateLimit.findOrCreateBy({ key }, { endsAt });
  const own = RateLimit.where({ key });
  await own.where('endsAt', '<=', now).updateAll({ tries: 0, endsAt });
  if ((await own.where('tries', '<', most).increment({ tries: 1 })) === 1) return;
  const [until] = await own.pluck('endsAt');
  throw new TooManyRequestsError(Math.max(1, Math.ceil(((until ?? endsAt).getTime() - Date.now()) / 1000)));
}

/** What was tried has succeeded: it is forgotten that it was tried. */
export async function forgetTries(key: string): Promise<void> {
  await RateLimit.where({ key }).deleteAll();
}

/** What was tried by one of many has succeeded: that try does not count. */
export async function takeBackTry(key: string): Promise<void> {
  await RateLimit.where({ key }).where('tries', '>', 0).decrement({ tries: 1 });
}
