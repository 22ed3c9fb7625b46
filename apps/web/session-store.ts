import { createHash, randomBytes } from 'node:crypto';
import { Store } from 'express-session';
import type { SessionData } from 'express-session';
import type { Database } from 'bellwether';
import { WebSecret } from '../../models/web/web-secret';
import { WebSession } from '../../models/web/web-session';

/** How long a session lasts that was not ended, from when it was last changed. */
export const SESSION_MS = 14 * 86_400_000;

type Done<T = void> = (error: unknown, result?: T) => void;

/**
 * Sessions as records of the application's own database, on the pool that it has already. Two requests of one visitor
 * may be under way at once; one that still has the session in hand when the other signs out does not bring it back.
 */
export class SessionStore extends Store {
  readonly #db: Database;

  constructor(db: Database) {
    super();
    this.#db = db;
  }

  override get(id: string, done: Done<SessionData | null>): void {
    this.#run(async () => {
      const found = await WebSession.where({ id: keyOf(id), isOver: false })
        .where('endsAt', '>', new Date())
        .first();
      return found ? (structuredClone(found.data) as unknown as SessionData) : null;
    }, done);
  }

  override set(id: string, session: SessionData, done?: Done): void {
    this.#run(async () => {
      const data = JSON.parse(JSON.stringify(session)) as Record<string, unknown>;
      const endsAt = session.cookie.expires ?? new Date(Date.now() + SESSION_MS);
      const key = keyOf(id);
      if ((await WebSession.where({ id: key, isOver: false }).updateAll({ data, endsAt })) === 1) return;
      await WebSession.findOrCreateBy({ id: key }, { data, endsAt }); // there, if it is over
    }, done);
  }

  override destroy(id: string, done?: Done): void {
    this.#run(async () => void (await WebSession.where({ id: keyOf(id) }).updateAll({ isOver: true, data: {} })), done);
  }

  #run<T>(body: () => Promise<T>, done: Done<T> = () => undefined): void {
    this.#db.use(body).then((result) => done(null, result), done);
  }
}

/** What cookies are signed with: SESSION_SECRET, else what the first process of the application has made up. */
export async function sessionSecret(): Promise<string> {
  const { SESSION_SECRET } = process.env;
  if (SESSION_SECRET) return SESSION_SECRET;
  const made = randomBytes(32).toString('base64url');
  return (await WebSecret.findOrCreateBy({ name: 'session' }, { value: made })).value;
}

const keyOf = (id: string): string => createHash('sha256').update(id).digest('base64url');
