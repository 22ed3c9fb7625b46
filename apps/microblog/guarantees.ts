import { InvalidSessionTokenError } from 'bellwether';
import type { ConsistencySession, Database } from 'bellwether';
import type { User } from '../../models/microblog/user';
import type { Around } from '../web/pages';

const COOKIE = 'microblog.seen';

/**
 * Reads on replicas that lag, without anybody noticing: what a browser has written it reads, and what it has read stays
 * read, over all its requests, whichever process and replica answers. So a profile is there right after its
 * registration, and a reply is never seen without the post that it answers.
 */
export function withGuarantees(db: Database): Around<User> {
  return (visit, work) => {
    const body = async (session: ConsistencySession) => {
      try {
        return await work();
      } finally {
        visit.setCookie(COOKIE, session.token); // before the answer; after a refusal too, which has read as well
      }
    };
    return sessionOf(db, visit.cookie(COOKIE), body);
  };
}

async function sessionOf<T>(
  db: Database,
  token: string | undefined,
  body: (session: ConsistencySession) => Promise<T>,
): Promise<T> {
  try {
    return await db.session({ token }, body);
  } catch (error) {
    if (error instanceof InvalidSessionTokenError) return db.session(body); // somebody's own; nothing was read by then
    throw error;
  }
}
