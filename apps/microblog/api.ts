import {
  IsBoolean,
  IsEmail,
  IsInt,
  IsNumberString,
  IsOptional,
  IsString,
  Length,
  Matches,
  MaxLength,
  Min,
} from 'class-validator';
import type { Page } from 'bellwether';
import type { User } from '../../models/microblog/user';
import { USERNAME_RULE } from '../../models/microblog/user';
import { Micropost } from '../../models/microblog/micropost';
import { Api, pageOf } from '../web/api';
import type { PageView } from '../web/api';
import { LONGEST, SHORTEST } from '../web/passwords';
import { feed } from './feed';
import type { ShownPost } from './feed';
import * as reading from './reading';
import * as requests from './requests';

// The API: what can be asked of it, in one table that is served and described. Keys are text, as they may be larger than
// JSON's numbers are exact.

class NewUserBody {
  @IsString() @Matches(/^[a-z][a-z0-9_]{2,19}$/i, { message: USERNAME_RULE }) declare username: string;
  @IsEmail() @MaxLength(254) declare email: string;
  @IsString() @Length(SHORTEST, LONGEST) declare password: string;
}
class PasswordBody {
  @IsString() @MaxLength(LONGEST) declare password: string;
}
/** How long it may be is for the model to say, which counts characters, not units of UTF-16. */
class PostBody {
  @IsString() declare content: string;
}
class PageQuery {
  /** The `next` of the page before. */
  @IsOptional() @IsString() declare after?: string;
}

export class UserView {
  @IsNumberString() declare id: string;
  @IsString() declare username: string;
}
class ProfileView extends UserView {
  @IsInt() @Min(0) declare posts: number;
  @IsInt() @Min(0) declare followers: number;
  @IsInt() @Min(0) declare following: number;
  /** Whether whoever asks follows them, blocks them, is blocked by them; null for nobody in particular. */
  @IsOptional() @IsBoolean() declare isFollowed: boolean | null;
  @IsOptional() @IsBoolean() declare isBlocked: boolean | null;
  @IsOptional() @IsBoolean() declare hasBlocked: boolean | null;
}
export class PostView {
  @IsNumberString() declare id: string;
  @IsString() declare author: string;
  @IsString() declare content: string;
  @IsOptional() @IsNumberString() declare inReplyTo: string | null;
  /** The post that the conversation began with; null of that one itself. */
  @IsOptional() @IsNumberString() declare conversation: string | null;
  @IsInt() declare version: number;
  @IsString() declare createdAt: string;
}

const userView = ({ id, username }: User): UserView => ({ id: String(id), username });
const profileView = ({ user, posts, followers, following, standing }: reading.Profile): ProfileView => ({
  ...userView(user),
  ...{ posts, followers, following },
  ...(standing ?? { isFollowed: null, isBlocked: null, hasBlocked: null }),
});
const textOf = (key: bigint | null) => (key === null ? null : String(key));
const postView = (post: Micropost, author: string): PostView => ({
  ...{ id: String(post.id), author, content: post.content, version: post.version },
  ...{ inReplyTo: textOf(post.inReplyToId), conversation: textOf(post.conversationId) },
  createdAt: post.createdAt.toISOString(),
});
const shownView = (post: ShownPost): PostView => postView(post, post.author.value.username);

function pageView<R, V>({ records, next }: Page<R>, view: (record: R) => V): PageView<V> {
  return { items: records.map(view), next: next ?? null };
}
const SIZE = 20;
const pageAfter = ({ after }: PageQuery) => ({ size: SIZE, ...(after !== undefined && { after }) });

const BLOCKED = { 403: 'They have blocked you.' };
const OWN = { 404: 'There is no such post of yours.' };

export const API = new Api<User>({
  title: 'Microblog',
  version: '1.0.0',
  description: 'Short posts, and who follows whom.',
});

API.add({
  ...{ method: 'post', path: '/users', summary: 'Register', body: NewUserBody, idempotent: 'read committed' },
  answer: { status: 201, schema: UserView },
  handle: async ({ body }) => userView(await requests.register(body)),
})
  .add({
    ...{ method: 'delete', path: '/users/me', summary: 'Delete your account', who: 'signed in', body: PasswordBody },
    answer: { status: 204 },
    handle: async ({ user, body, visit }) => {
      await requests.deleteAccount(user, body.password);
      await visit.signOut();
    },
  })
  .add({
    ...{ method: 'get', path: '/users/{username}', summary: 'A profile' },
    answer: { schema: ProfileView },
    handle: async ({ params, user }) => profileView(await reading.profile(params.username!, user?.id)),
  })
  .add({
    ...{ method: 'get', path: '/users/{username}/posts', summary: 'What a user has written', query: PageQuery },
    answer: { schema: pageOf(PostView) },
    handle: async ({ params, query }) => {
      const { id } = await requests.userCalled(params.username);
      return pageView(await reading.userline(id, pageAfter(query)), shownView);
    },
  })
  .add({
    ...{ method: 'get', path: '/users/{username}/followers', summary: 'Who follows a user', query: PageQuery },
    answer: { schema: pageOf(UserView) },
    handle: async ({ params, query }) => {
      const { id } = await requests.userCalled(params.username);
      return pageView(await reading.followers(id, pageAfter(query)), ({ follower }) => userView(follower.value));
    },
  })
  .add({
    ...{ method: 'get', path: '/users/{username}/following', summary: 'Whom a user follows', query: PageQuery },
    answer: { schema: pageOf(UserView) },
    handle: async ({ params, query }) => {
      const { id } = await requests.userCalled(params.username);
      return pageView(await reading.following(id, pageAfter(query)), ({ followed }) => userView(followed.value));
    },
  });

const STANDINGS = [
  ['put', 'follow', 'Follow a user', requests.follow],
  ['delete', 'follow', 'Cease to follow a user', requests.unfollow],
  ['put', 'block', 'Block a user, who then ceases to follow you', requests.block],
  ['delete', 'block', 'Cease to block a user', requests.unblock],
] as const;
for (const [method, name, summary, run] of STANDINGS) {
  API.add({
    ...{ method, path: `/users/{username}/${name}`, summary, who: 'signed in', refusals: BLOCKED },
    answer: { status: 204 },
    handle: async ({ user, params }) => void (await run(user, params.username)),
  });
}

API.add({
  ...{ method: 'get', path: '/feed', summary: 'What those write whom you follow', who: 'signed in', query: PageQuery },
  answer: { schema: pageOf(PostView) },
  handle: async ({ user, query }) => pageView(await feed({ userId: user.id, ...pageAfter(query) }), shownView),
})
  .add({
    ...{ method: 'get', path: '/posts', summary: 'What everybody writes', query: PageQuery },
    answer: { schema: pageOf(PostView) },
    handle: async ({ query }) => pageView(await reading.timeline(pageAfter(query)), shownView),
  })
  .add({
    ...{ method: 'post', path: '/posts', summary: 'Post', who: 'signed in', body: PostBody },
    idempotent: 'read committed',
    answer: { status: 201, schema: PostView },
    handle: async (call) => {
      const made = await requests.post(call.user, call.body.content);
      call.tag(made);
      return postView(made, call.user.username);
    },
  })
  .add({
    ...{ method: 'get', path: '/posts/{id}', summary: 'A post, with its ETag' },
    answer: { schema: PostView },
    handle: async (call) => {
      const found = await reading.onePost(call.id());
      call.tag(found);
      return shownView(found);
    },
  })
  .add({
    ...{
      method: 'get',
      path: '/posts/{id}/conversation',
      summary: 'The replies of its conversation',
      query: PageQuery,
    },
    answer: { schema: pageOf(PostView) },
    handle: async (call) => {
      const { replies } = await reading.conversation(call.id(), pageAfter(call.query));
      return pageView(replies, shownView);
    },
  })
  .add({
    ...{ method: 'post', path: '/posts/{id}/replies', summary: 'Reply', who: 'signed in', body: PostBody },
    ...{ idempotent: 'serializable', refusals: BLOCKED },
    answer: { status: 201, schema: PostView },
    handle: async (call) => postView(await requests.reply(call.user, call.id(), call.body.content), call.user.username),
  })
  .add({
    ...{ method: 'put', path: '/posts/{id}', summary: 'Edit a post of yours', who: 'signed in', body: PostBody },
    ...{ ifMatch: true, refusals: OWN },
    answer: { schema: PostView },
    handle: async (call) => {
      const own = await requests.ownPost(call.user, call.id());
      call.assertIfMatch(own);
      const edited = await requests.edit(call.user, own.id, call.body.content, own.version);
      call.tag(edited);
      return postView(edited, call.user.username);
    },
  })
  .add({
    ...{ method: 'delete', path: '/posts/{id}', summary: 'Delete a post of yours, with all replies', who: 'signed in' },
    ...{ refusals: OWN },
    answer: { status: 204 },
    handle: (call) => requests.deletePost(call.user, call.id()),
  });
