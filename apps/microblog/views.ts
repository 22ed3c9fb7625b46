import type { Micropost } from '../../models/microblog/micropost';
import { MOST_CHARACTERS } from '../../models/microblog/micropost';
import type { User } from '../../models/microblog/user';
import { actionButton, form, textArea, time } from '../web/forms';
import type { Refusal } from '../web/forms';
import { html } from '../web/html';
import type { Content, Html } from '../web/html';
import type { Visit } from '../web/visit';
import type { ShownPost } from './feed';
import type { Profile } from './reading';

export const profilePath = ({ username }: Pick<User, 'username'>): string => `/@${username}`;
export const postPath = ({ id }: Pick<Micropost, 'id'>): string => `/posts/${id}`;

const HUES = 8;

/** The first letter of the name, in one of some colours. */
export function avatar({ id, username }: Pick<User, 'id' | 'username'>): Html {
  return html`<span class="avatar hue-${id % BigInt(HUES)}" aria-hidden="true">${username.slice(0, 1)}</span>`;
}

export const userLink = (user: User): Html => html`<a class="user" href="${profilePath(user)}">@${user.username}</a>`;

const MENTION = /(@[a-z][a-z0-9_]{2,19})(?![a-z0-9_])/gi;

/** With those who are named in it as links. */
function contentOf(content: string): Content {
  return content.split(MENTION).map((part, index) => (index % 2 === 1 ? html`<a href="/${part}">${part}</a>` : part));
}

export interface PostOptions {
  /** The one that the page is about. */
  readonly isFocus?: boolean;
}

export function postCard(post: ShownPost, visit: Visit<User>, { isFocus = false }: PostOptions = {}): Html {
  const { author, content, createdAt, version, inReplyToId } = post;
  const isMine = visit.user?.id === author.value.id;
  return html`<article class="card post ${isFocus && 'focus'}" id="post-${post.id}">
    ${avatar(author.value)}
    <div class="said">
      <header>
        ${userLink(author.value)}
        <a class="quiet" href="${postPath(post)}">${time(createdAt)}</a>
        ${version > 1 && html`<span class="tag">edited</span>`}
      </header>
      <p class="content">${contentOf(content)}</p>
      <footer class="row">
        ${inReplyToId !== null && html`<a href="${postPath({ id: inReplyToId })}#post-${inReplyToId}">What it answers</a>`}
        ${!isFocus && html`<a href="${postPath(post)}">${visit.user ? 'Reply' : 'Conversation'}</a>`}
        ${isMine && ownActions(post, visit)}
      </footer>
    </div>
  </article>`;
}

function ownActions(post: ShownPost, visit: Visit<User>): Html {
  const path = postPath(post);
  return html`<a href="${path}/edit">Edit</a> ${actionButton({
      visit,
      action: `${path}/delete`,
      label: 'Delete',
      style: 'plain small',
      describedAs: 'Delete this post and all replies to it',
    })}`;
}

export function postList(posts: readonly ShownPost[], visit: Visit<User>, whenEmpty: Content): Html {
  if (posts.length === 0) return html`<p class="quiet empty">${whenEmpty}</p>`;
  return html`<ol class="list posts">
    ${posts.map((post) => html`<li>${postCard(post, visit)}</li>`)}
  </ol>`;
}

export interface ComposeOptions {
  readonly visit: Visit<User>;
  readonly action: string;
  readonly label: string;
  readonly submit: string;
  /** Of the form, as its refusals name it. Default: the action. */
  readonly name?: string;
  readonly refusal?: Refusal | undefined;
  readonly value?: string;
  readonly extra?: readonly Html[];
}

export function composeForm({ label, value, extra = [], ...options }: ComposeOptions): Html {
  // The browser counts in units of UTF-16, of which a character is one or two: it must not cut off what may be said.
  const content = { name: 'content', label, required: true, maxLength: 2 * MOST_CHARACTERS, value };
  return form(options, [textArea({ ...content, hint: `At most ${MOST_CHARACTERS} characters.` }), ...extra]);
}

export function profileHead({ user, posts, followers, following, standing }: Profile, visit: Visit<User>): Html {
  const path = profilePath(user);
  return html`<section class="card profile">
    <header>
      <div class="row">
        ${avatar(user)}
        <h1>@${user.username}</h1>
        ${standing?.hasBlocked && html`<span class="tag">has blocked you</span>`}
      </div>
      ${standing && html`<div class="row">${standingButtons(path, standing, visit)}</div>`}
    </header>
    <dl class="counts">
      ${count('Posts', posts, path)} ${count('Followers', followers, `${path}/followers`)}
      ${count('Following', following, `${path}/following`)}
    </dl>
    <p class="quiet">Here since ${time(user.createdAt)}</p>
  </section>`;
}

function count(label: string, value: number, href: string): Html {
  return html`<div>
    <dt><a href="${href}">${label}</a></dt>
    <dd data-fact="${label.toLowerCase()}">${value}</dd>
  </div>`;
}

function standingButtons(path: string, standing: NonNullable<Profile['standing']>, visit: Visit<User>): Html {
  const { isFollowed, isBlocked, hasBlocked } = standing;
  const follow = isFollowed
    ? actionButton({ visit, action: `${path}/unfollow`, label: 'Unfollow', style: 'plain' })
    : actionButton({ visit, action: `${path}/follow`, label: 'Follow' });
  const block = isBlocked
    ? actionButton({ visit, action: `${path}/unblock`, label: 'Unblock', style: 'plain' })
    : actionButton({ visit, action: `${path}/block`, label: 'Block', style: 'plain' });
  return html`${(isFollowed || !hasBlocked) && follow} ${block}`;
}

export function userList(users: readonly User[], whenEmpty: string): Html {
  if (users.length === 0) return html`<p class="quiet empty">${whenEmpty}</p>`;
  return html`<ul class="list users">
    ${users.map((user) => html`<li class="card row">${avatar(user)} ${userLink(user)}</li>`)}
  </ul>`;
}
