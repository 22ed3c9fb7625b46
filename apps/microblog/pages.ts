import type { User } from '../../models/microblog/user';
import { nextLink } from '../web/forms';
import type { Refusal } from '../web/forms';
import type { Page } from '../web/frame';
import { html } from '../web/html';
import type { Html } from '../web/html';
import { readText } from '../web/input';
import type { Pages } from '../web/pages';
import type { Visit } from '../web/visit';
import { feed } from './feed';
import { conversationTopic, feedFilter } from './live-topics';
import * as reading from './reading';
import * as requests from './requests';
import { composeForm, postCard, postList, postPath, profileHead, profilePath, userList } from './views';

const SIZE = 20;
type MyVisit = Visit<User>;

/** Where the next page begins, as the address says. */
const pageOf = (visit: MyVisit) => {
  const { after } = visit.query;
  return { size: SIZE, ...(typeof after === 'string' && { after }) };
};
const versionOf = (value: unknown) =>
  typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : undefined;
const contentOf = (visit: MyVisit) => readText(visit.fields.content, 'content');

export function addPages(pages: Pages<User>): void {
  addHome(pages);
  addProfiles(pages);
  addPosts(pages);
}

function addHome(pages: Pages<User>): void {
  const home = (visit: MyVisit, refusal?: Refusal) => (visit.user ? feedPage(visit, refusal) : everybodyPage(visit));
  pages.get('/', (visit) => home(visit));
  pages.get('/everybody', (visit) => everybodyPage(visit));
  pages.stream('/feed/events', (visit) => feedFilter(visit.me.id));
  pages.form('/posts', {
    who: 'signed in',
    run: async (visit) => {
      await requests.post(visit.me, contentOf(visit));
      visit.notice('Posted.');
      return '/';
    },
    again: home,
  });
}

async function feedPage(visit: MyVisit, refusal?: Refusal): Promise<Page> {
  const { records, next } = await feed({ userId: visit.me.id, ...pageOf(visit) });
  const label = 'What is happening?';
  const body = html`<div class="narrow">
    <h1>Your feed</h1>
    ${composeForm({ visit, action: '/posts', label, submit: 'Post', refusal })}
    <p class="news" role="status" aria-live="polite">
      <a class="button" href="/" data-stream="/feed/events" data-live-count="New posts: {n}" hidden>New posts</a>
    </p>
    ${postList(records, visit, html`Nothing yet. <a href="/everybody">See what everybody says</a>, and follow somebody.`)}
    ${nextLink(next, visit)}
  </div>`;
  return { title: 'Home', body };
}

async function everybodyPage(visit: MyVisit): Promise<Page> {
  const { records, next } = await reading.timeline(pageOf(visit));
  const welcome = html`<section class="card welcome">
    <h1>What everybody says</h1>
    <p><a href="/register">Register</a> to say something yourself, or <a href="/sign-in">sign in</a>.</p>
  </section>`;
  const body = html`<div class="narrow">
    ${visit.user ? html`<h1>What everybody says</h1>` : welcome}
    ${postList(records, visit, 'Nobody has said anything yet.')} ${nextLink(next, visit)}
  </div>`;
  return { title: 'Everybody', body };
}

function addProfiles(pages: Pages<User>): void {
  const people = (title: string, whenEmpty: string, read: (id: bigint, visit: MyVisit) => Promise<People>) => {
    return async (visit: MyVisit): Promise<Page> => {
      const shown = await reading.profile(visit.params.username!, visit.user?.id); // the path has it
      const { users, next } = await read(shown.user.id, visit);
      return {
        title: `${title} of @${shown.user.username}`,
        body: html`<div class="narrow">
          ${profileHead(shown, visit)}
          <h2>${title}</h2>
          ${userList(users, whenEmpty)} ${nextLink(next, visit)}
        </div>`,
      };
    };
  };
  pages.get('/@:username', profilePage);
  const followers = people('Followers', 'Nobody yet.', async (id, visit) => {
    const { records, next } = await reading.followers(id, pageOf(visit));
    return { users: records.map(({ follower }) => follower.value), next };
  });
  const following = people('Following', 'Nobody yet.', async (id, visit) => {
    const { records, next } = await reading.following(id, pageOf(visit));
    return { users: records.map(({ followed }) => followed.value), next };
  });
  pages.get('/@:username/followers', followers);
  pages.get('/@:username/following', following);
  addStandings(pages);
}
interface People {
  readonly users: readonly User[];
  readonly next: string | undefined;
}

async function profilePage(visit: MyVisit): Promise<Page> {
  const shown = await reading.profile(visit.params.username!, visit.user?.id); // the path has it
  const { records, next } = await reading.userline(shown.user.id, pageOf(visit));
  return {
    title: `@${shown.user.username}`,
    body: html`<div class="narrow">
      ${profileHead(shown, visit)}
      <h2>Posts</h2>
      ${postList(records, visit, 'No posts yet.')} ${nextLink(next, visit)}
    </div>`,
  };
}

/** Buttons on the profile, which lead back to it. */
function addStandings(pages: Pages<User>): void {
  const done = {
    follow: 'You follow',
    unfollow: 'You no longer follow',
    block: 'You have blocked',
    unblock: 'You no longer block',
  };
  for (const deed of ['follow', 'unfollow', 'block', 'unblock'] as const) {
    pages.form(`/@:username/${deed}`, {
      who: 'signed in',
      run: async (visit) => {
        const other = await requests[deed](visit.me, visit.params.username);
        visit.notice(`${done[deed]} @${other.username}.`);
        return profilePath(other);
      },
    });
  }
}

function addPosts(pages: Pages<User>): void {
  pages.get('/posts/:id', (visit) => postPage(visit));
  pages.fragment('/posts/:id/replies', async (visit) => conversationPart(visit));
  pages.form('/posts/:id/replies', {
    who: 'signed in',
    form: 'reply',
    run: async (visit) => {
      const made = await requests.reply(visit.me, visit.id(), contentOf(visit));
      visit.notice('Replied.');
      return `/posts/${visit.id()}#post-${made.id}`;
    },
    again: postPage,
  });
  pages.get('/posts/:id/edit', (visit) => editPage(visit), { who: 'signed in' });
  pages.form('/posts/:id/edit', {
    who: 'signed in',
    form: 'edit',
    run: async (visit) => {
      const edited = await requests.edit(visit.me, visit.id(), contentOf(visit), versionOf(visit.fields.version) ?? 0);
      visit.notice('Changed.');
      return postPath(edited);
    },
    again: editPage,
  });
  pages.form('/posts/:id/delete', {
    who: 'signed in',
    run: async (visit) => {
      await requests.deletePost(visit.me, visit.id());
      visit.notice('Deleted.');
      return '/';
    },
  });
}

async function postPage(visit: MyVisit, refusal?: Refusal): Promise<Page> {
  const id = visit.id();
  const { root } = await reading.conversation(id, { size: 1 });
  const body = html`<div class="narrow">
    <h1>Conversation</h1>
    <section data-live="${conversationTopic(root.id)}" data-src="/posts/${id}/replies${searchOf(visit)}">
      ${await conversationPart(visit)}
    </section>
    ${visit.user && composeForm({ visit, action: `/posts/${id}/replies`, name: 'reply', label: 'Your reply', submit: 'Reply', refusal })}
    ${!visit.user && html`<p><a href="/sign-in?next=${encodeURIComponent(visit.path)}">Sign in</a> to reply.</p>`}
  </div>`;
  return { title: `@${root.author.value.username}: ${root.content.slice(0, 60)}`, body };
}

const searchOf = (visit: MyVisit): string => {
  const { after } = visit.query;
  return typeof after === 'string' ? `?after=${encodeURIComponent(after)}` : '';
};

/** The post that it began with, and a page of the replies. */
async function conversationPart(visit: MyVisit): Promise<Html> {
  const id = visit.id();
  const { root, replies } = await reading.conversation(id, pageOf(visit));
  const card = (shown: typeof root) => postCard(shown, visit, { isFocus: shown.id === id });
  return html`${card(root)}
    <ol class="list replies">
      ${replies.records.map((shown) => html`<li>${card(shown)}</li>`)}
    </ol>
    ${nextLink(replies.next, visit, 'Later')}`;
}

async function editPage(visit: MyVisit, refusal?: Refusal): Promise<Page> {
  const own = await requests.ownPost(visit.me, visit.id());
  const isStale = refusal?.problem.code === 'E_STALE_RECORD';
  // Of what was read; and once they are shown what it says by now, of that.
  const version = isStale ? own.version : (versionOf(refusal?.fields.version) ?? own.version);
  const extra = [
    html`<input type="hidden" name="version" value="${version}" />`,
    ...(isStale ? [html`<p>It says now: “${own.content}”</p>`] : []),
  ];
  const body = html`<div class="narrow">
    <h1>Edit</h1>
    ${composeForm({
      ...{ visit, action: `${postPath(own)}/edit`, name: 'edit', label: 'Post', submit: 'Change', refusal },
      ...{ value: own.content, extra },
    })}
  </div>`;
  return { title: 'Edit', body };
}
