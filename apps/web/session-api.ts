import { IsNotEmpty, IsOptional, IsString, MaxLength } from 'class-validator';
import type { Api } from './api';
import { LONGEST } from './passwords';
import { signIn } from './sign-in';
import type { Accounts } from './sign-in';
import type { User, Visit } from './visit';

class Credentials {
  @IsString() @IsNotEmpty() @MaxLength(LONGEST) declare login: string;
  @IsString() @IsNotEmpty() @MaxLength(LONGEST) declare password: string;
}

class SessionView {
  /** Key of who is signed in; null when nobody is. */
  @IsString() @IsOptional() declare user: string | null;
  @IsString() @IsOptional() declare name: string | null;
  /** For the header `X-CSRF-Token` of writes. */
  @IsString() @IsOptional() declare csrfToken: string | null;
}

/** How programs sign in: the same session as a browser has. */
export function addSessionRoutes<U extends User>(api: Api<U>, accounts: Accounts<U>): void {
  if (api.routes.some(({ path }) => path === '/session')) return; // served before, by another database
  const view = (visit: Visit<U>): SessionView => ({
    user: visit.user ? String(visit.user.id) : null,
    name: visit.user ? accounts.nameOf(visit.user) : null,
    csrfToken: visit.user ? visit.csrfToken : null,
  });
  api
    .add({
      method: 'get',
      path: '/session',
      summary: 'Who is signed in',
      answer: { schema: SessionView },
      handle: ({ visit }) => Promise.resolve(view(visit)),
    })
    .add({
      method: 'post',
      path: '/session',
      summary: 'Sign in',
      body: Credentials,
      answer: { status: 201, schema: SessionView },
      refusals: { 401: 'The login or the password is wrong.', 429: 'Tried too often; Retry-After says when.' },
      handle: async ({ visit, body }) => {
        await signIn(accounts, visit, body);
        return view(visit);
      },
    })
    .add({
      method: 'delete',
      path: '/session',
      summary: 'Sign out',
      answer: { status: 204 },
      handle: ({ visit }) => visit.signOut(),
    });
}
