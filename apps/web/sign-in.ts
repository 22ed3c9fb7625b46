import { form, passwordField, textField } from './forms';
import type { Refusal } from './forms';
import type { Page } from './frame';
import { html } from './html';
import { readText } from './input';
import type { Pages } from './pages';
import { hashPassword, isOutdated, LONGEST, verifyNothing, verifyPassword } from './passwords';
import { countTry, forgetTries, takeBackTry } from './rate-limits';
import type { Limit } from './rate-limits';
import { NotSignedInError } from './refusals';
import type { User, Visit } from './visit';

/** Who can sign in to an application, and how they are found. */
export interface Accounts<U extends User> {
  readonly find: (id: bigint) => Promise<U | undefined>;
  readonly findByLogin: (login: string) => Promise<U | undefined>;
  /** What the login is, as in `E-mail or username`. */
  readonly loginLabel: string;
  readonly nameOf: (user: U) => string;
  readonly profilePath?: (user: U) => string;
  readonly registerPath?: string;
  /** Keeps the hash that was made anew, since the parameters have changed. */
  readonly rehash?: (user: U, passwordHash: string) => Promise<unknown>;
  /** Tries that may fail. Default: 10 for one account and 100 from one address in 15 minutes. */
  readonly limits?: { readonly ofAccount: Limit; readonly ofAddress: Limit };
}

const QUARTER_HOUR_MS = 15 * 60_000;
const LIMITS = {
  ofAccount: { most: 10, windowMs: QUARTER_HOUR_MS },
  ofAddress: { most: 100, windowMs: QUARTER_HOUR_MS },
};

/**
 * Signs in whoever knows the password. A try counts before the password is looked at, so that many at once are not more
 * than may be. Says of a wrong login and of a wrong password the same, and as late.
 *
 * @throws NotSignedInError, TooManyRequestsError
 */
export async function signIn<U extends User>(
  accounts: Accounts<U>,
  visit: Visit<U>,
  { login, password }: { readonly login: string; readonly password: string },
): Promise<U> {
  const { ofAccount, ofAddress } = accounts.limits ?? LIMITS;
  const [account, address] = [`sign-in ${login.toLowerCase().slice(0, LONGEST)}`, `sign-in from ${visit.address}`];
  await countTry(address, ofAddress);
  await countTry(account, ofAccount);
  const user = await accounts.findByLogin(login);
  const isRight = user ? await verifyPassword(password, user.passwordHash) : await verifyNothing(password);
  if (!user || !isRight) throw new NotSignedInError('The login or the password is wrong.', 'Correct it and try again.');
  await Promise.all([forgetTries(account), takeBackTry(address)]);
  if (isOutdated(user.passwordHash)) await accounts.rehash?.(user, await hashPassword(password));
  await visit.signIn(user);
  return user;
}

/** The page where one signs in, and the button with which one signs out. */
export function addSignIn<U extends User>(pages: Pages<U>, accounts: Accounts<U>): void {
  const show = (visit: Visit<U>, refusal?: Refusal) => Promise.resolve(signInPage(accounts, visit, refusal));
  pages.get('/sign-in', (visit) => show(visit));
  pages.form('/sign-in', {
    again: show,
    run: async (visit) => {
      const { fields } = visit;
      const login = readText(fields.login, 'login');
      const password = typeof fields.password === 'string' ? fields.password : '';
      await signIn(accounts, visit, { login, password });
      return ownPath(fields.next);
    },
  });
  pages.form('/sign-out', {
    run: async (visit) => {
      await visit.signOut();
      return '/';
    },
  });
}

function signInPage<U extends User>(
  { loginLabel, registerPath }: Accounts<U>,
  visit: Visit<U>,
  refusal?: Refusal,
): Page {
  const next = ownPath(refusal?.fields.next ?? visit.query.next);
  const body = html`<div class="narrow">
    <h1>Sign in</h1>
    ${form({ visit, action: '/sign-in', refusal, submit: 'Sign in' }, [
      html`<input type="hidden" name="next" value="${next}" />`,
      textField({ name: 'login', label: loginLabel, required: true, maxLength: LONGEST, autocomplete: 'username' }),
      passwordField({ name: 'password', label: 'Password', required: true, maxLength: LONGEST }),
    ])}
    ${registerPath !== undefined && html`<p>New here? <a href="${registerPath}">Register</a>.</p>`}
  </div>`;
  return { title: 'Sign in', body };
}

/** A path of this site, so that nobody is led elsewhere. */
function ownPath(value: unknown): string {
  return typeof value === 'string' && /^\/(?![/\\])[^\s\\]*$/.test(value) ? value : '/';
}
