import type { RequestHandler } from 'express';
import type { LiveHub } from './live';
import { Visit } from './visit';
import type { User } from './visit';

/** Finds out who it is: by the session, if there is one. */
export function recognize<U extends User>(
  accounts: { readonly find: (id: bigint) => Promise<U | undefined> } | undefined,
  hub: LiveHub,
): RequestHandler {
  return async (request, response, next) => {
    const { userId } = (request as Partial<typeof request>).session ?? {};
    const { latest } = hub; // before anything is read
    const user = userId === undefined ? undefined : await accounts?.find(BigInt(userId));
    response.locals.visit = new Visit<U>(request, user, latest);
    next();
  };
}
