import { createHash } from 'node:crypto';
import { BellwetherError, LockNotAvailableError, ValidationError } from 'bellwether';
import type { Database, IsolationLevel } from 'bellwether';
import { IdempotencyKey } from '../../models/web/idempotency-key';

/** How long a repetition waits for the first one to end. */
const PATIENCE_MS = 5_000;

export interface Answer {
  readonly status: number;
  /** As JSON holds it. */
  readonly body: unknown;
}

export interface RepeatableRequest {
  /** Whose it is; empty for nobody's. */
  readonly owner: string;
  readonly key: string;
  /** Tells requests of one key apart. */
  readonly fingerprint: string;
  readonly isolation: IsolationLevel;
}

/** The key was used before, for something else. */
export class IdempotencyKeyReusedError extends BellwetherError {
  override readonly code = 'E_IDEMPOTENCY_KEY_REUSED';
  override readonly recovery = 'fix-the-input';

  constructor() {
    super({ what: 'The Idempotency-Key was used for another request.', remedy: 'Use a new key for each request.' });
  }
}

/** The same request is under way, and takes its time. */
export class RequestUnderWayError extends BellwetherError {
  override readonly code = 'E_REQUEST_UNDER_WAY';
  override readonly recovery = 'try-later';
  constructor(cause: unknown) {
    super({ what: 'The same request is under way.', remedy: 'Send it again in a moment, with the same key.', cause });
  }
}

/**
 * Answers a request once, however often and wherever it is sent. The key is a row of the same transaction as what the
 * request does: either both are there or none, whoever crashes when. Of several at once, one runs, and the others wait
 * for the unique index, then get its answer. A request that is refused leaves no key: sent again, it is tried again.
 *
 * @see IETF draft "The Idempotency-Key HTTP Header Field"
 * @throws IdempotencyKeyReusedError, RequestUnderWayError, and what `run` throws
 */
export async function answerOnce(
  db: Database,
  request: RepeatableRequest,
  run: () => Promise<Answer>,
): Promise<Answer & { readonly isRepeated: boolean }> {
  const { owner, key, fingerprint, isolation } = request;
  const known = await findAnswer(request);
  if (known) return known;
  try {
    const answer = await db.transaction({ isolation, lockTimeoutMs: PATIENCE_MS, name: 'answer once' }, async () => {
      const entry = await take({ owner, key, fingerprint });
      const { status, body } = await run();
      await entry.update({ status, body });
      return { status, body };
    });
    return { ...answer, isRepeated: false };
  } catch (error) {
    if (!(error instanceof KeyTakenError)) throw error;
    const first = await findAnswer(request);
    if (first) return first;
    throw new RequestUnderWayError(error);
  }
}

/** Somebody was faster. Never leaves this file. */
class KeyTakenError extends BellwetherError {
  override readonly code = 'E_KEY_TAKEN';
  override readonly recovery = 'reload';
}

async function take(values: Pick<IdempotencyKey, 'owner' | 'key' | 'fingerprint'>): Promise<IdempotencyKey> {
  try {
    return await IdempotencyKey.create(values);
  } catch (error) {
    if (error instanceof LockNotAvailableError) throw new RequestUnderWayError(error);
    const isTaken = error instanceof ValidationError && error.problems.some(({ code }) => code === 'taken');
    if (!isTaken) throw error;
    throw new KeyTakenError({ what: 'The key is taken.', remedy: 'Read the answer.', cause: error });
  }
}

async function findAnswer({ owner, key, fingerprint }: RepeatableRequest) {
  const found = await IdempotencyKey.findBy({ owner, key });
  if (!found) return undefined;
  if (found.fingerprint !== fingerprint) throw new IdempotencyKeyReusedError();
  return { status: found.status!, body: found.body, isRepeated: true }; // committed together with the key
}

export function fingerprintOf(...parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}
