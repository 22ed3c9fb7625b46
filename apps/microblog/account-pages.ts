import { actionButton, form, nextLink, passwordField, textField } from '../web/forms';
import type { Refusal } from '../web/forms';
import type { Page } from '../web/frame';
import { html } from '../web/html';
import { readText } from '../web/input';
import type { Pages } from '../web/pages';
import { LONGEST, SHORTEST } from '../web/passwords';
import type { Visit } from '../web/visit';
import type { User } from '../../models/microblog/user';
import { USERNAME_RULE } from '../../models/microblog/user';
import { blocked } from './reading';
import * as requests from './requests';
import { avatar, profilePath, userLink } from './views';

/** Coming, and going. */
export function addAccountPages(pages: Pages<User>): void {
  const register = (visit: Visit<User>, refusal?: Refusal) => Promise.resolve(registerPage(visit, refusal));
  pages.get('/register', (visit) => register(visit));
  pages.form('/register', {
    run: async (visit) => {
      const user = await requests.register(newUserOf(visit));
      await visit.signIn(user);
      visit.notice(`Welcome, @${user.username}.`);
      return profilePath(user);
    },
    again: register,
  });
  pages.get('/settings', (visit) => settingsPage(visit), { who: 'signed in' });
  pages.form('/settings/delete', {
    who: 'signed in',
    form: 'delete',
    run: async (visit) => {
      await requests.deleteAccount(visit.me, passwordOf(visit));
      await visit.signOut();
      visit.notice('You are gone, with all that was yours.');
      return '/';
    },
    again: settingsPage,
  });
}

const passwordOf = ({ fields }: Visit<User>): string => (typeof fields.password === 'string' ? fields.password : '');

function newUserOf(visit: Visit<User>): requests.NewUser {
  const { username, email } = visit.fields;
  return { username: readText(username, 'username'), email: readText(email, 'email'), password: passwordOf(visit) };
}

function registerPage(visit: Visit<User>, refusal?: Refusal): Page {
  const fields = [
    textField({
      ...{ name: 'username', label: 'Username', required: true, maxLength: 20, autocomplete: 'username' },
      hint: `It ${USERNAME_RULE}.`,
    }),
    textField({ name: 'email', label: 'E-mail', type: 'email', required: true, maxLength: 254, autocomplete: 'email' }),
    passwordField({
      ...{ name: 'password', label: 'Password', required: true, maxLength: LONGEST, autocomplete: 'new-password' },
      hint: `At least ${SHORTEST} characters.`,
    }),
  ];
  const body = html`<div class="narrow">
    <h1>Register</h1>
    ${form({ visit, action: '/register', refusal, submit: 'Register' }, fields)}
    <p>Registered already? <a href="/sign-in">Sign in</a>.</p>
  </div>`;
  return { title: 'Register', body };
}

async function settingsPage(visit: Visit<User>, refusal?: Refusal): Promise<Page> {
  const { after } = visit.query;
  const page = await blocked(visit.me.id, { size: 50, ...(typeof after === 'string' && { after }) });
  const people = page.records.map(({ blocked: { value: user } }) => {
    const unblock = actionButton({
      visit,
      action: `${profilePath(user)}/unblock`,
      label: 'Unblock',
      style: 'plain small',
    });
    return html`<li class="card row">${avatar(user)} ${userLink(user)} ${unblock}</li>`;
  });
  const body = html`<div class="narrow">
    <h1>Settings</h1>
    <p class="quiet">You are @${visit.me.username}, ${visit.me.email}.</p>
    <h2>Blocked</h2>
    <p class="quiet">They do not follow you, and cannot reply to you. What you post is there for everybody to read.</p>
    ${
      people.length === 0
        ? html`<p class="quiet empty">Nobody.</p>`
        : html`<ul class="list users">
            ${people}
          </ul>`
    }
    ${nextLink(page.next, visit)}
    <h2>Delete your account</h2>
    ${form({ visit, action: '/settings/delete', name: 'delete', refusal, submit: 'Delete all that is mine' }, [
      html`<p>With you go your posts, the replies to them, and whom you follow and block. There is no way back.</p>`,
      passwordField({ name: 'password', label: 'Your password', required: true, maxLength: LONGEST }),
    ])}
  </div>`;
  return { title: 'Settings', body };
}
