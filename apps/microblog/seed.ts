import { transactional } from 'bellwether';
import { Micropost } from '../../models/microblog/micropost';
import { Relationship } from '../../models/microblog/relationship';
import { User } from '../../models/microblog/user';
import { seeded } from '../load/mix';
import type { Random, SeedOptions } from '../load/mix';
import { hashPassword } from '../web/passwords';
import { follow, post, register, reply } from './operations';
import { FOLLOWING, PEOPLE, SAID } from './small-world';
import type { Person } from './small-world';

/** Everybody of the small world and of the large one signs in with it. */
export const PASSWORD = 'call-the-bell';

/** Fills an empty microblog. Serializable, so that of two processes that both find it empty, one fills it. */
const fillIfEmpty = transactional(
  { isolation: 'serializable', name: 'seed' },
  async (passwordHash: string): Promise<boolean> => {
    if (await User.exists()) return false;
    const ids = new Map<Person, bigint>();
    for (const username of PEOPLE) {
      const { id } = await register({ username, email: `${username}@example.org`, passwordHash });
      ids.set(username, id);
    }
    const idOf = (person: Person) => ids.get(person)!; // all of them are there
    for (const [one, other] of FOLLOWING) await follow({ userId: idOf(one), otherId: idOf(other) });
    const posts: bigint[] = [];
    for (const [person, content, answered] of SAID) {
      const said = { authorId: idOf(person), content };
      const { id } = await (answered === undefined ? post(said) : reply({ ...said, inReplyToId: posts[answered]! }));
      posts.push(id);
    }
    return true;
  },
);

/** A small world, for looking around: six people, whose password is `PASSWORD`. */
export async function seedIfEmpty(): Promise<boolean> {
  if (await User.exists()) return false;
  return fillIfEmpty(await hashPassword(PASSWORD));
}

// A large world, by bulk writes. Who follows and who writes how much is spread as among people: most a little, a few very
// much (a power law); and it is the same world each time.

const BATCH = 2_000;
const MOST_FOLLOWED = 10_000;
const MOST_POSTS = 500;
/** About, for each user: itself, its relationships, its posts. */
const ROWS_PER_USER = 30;
/** How many of a hundred posts answer another. */
const REPLIES_PER_CENT = 15;

const NAMES = ['ada', 'bao', 'chi', 'dev', 'eve', 'fen', 'gus', 'hal', 'ida', 'jon', 'kai', 'lea', 'mia', 'noa', 'oda'];
const OPENINGS = [
  'Just saw',
  'Cannot stop thinking about',
  'Does anybody else like',
  'Finally:',
  'Good morning to',
  'Found',
];
const THINGS = [
  'a serializable snapshot',
  'the sea at five',
  'this recipe for bread',
  'an old map',
  'a very small owl',
  'rain',
];
const CLOSINGS = ['.', ', again.', '. What do you think?', ' on the way home.', '. More tomorrow.', '!'];

/** Adds users with posts and relationships; they sign in with `PASSWORD`. */
export async function seed({ users, onProgress = () => {} }: SeedOptions): Promise<void> {
  const random = seeded(20_261_121);
  const passwordHash = await hashPassword(PASSWORD);
  const series = (await User.query().maximum('id')) ?? 0n; // so that another world can be added to this one
  let done = 0;
  const count = (rows: number) => onProgress((done += rows), Math.max(done, users * ROWS_PER_USER));

  const ids: bigint[] = [];
  for (let from = 0; from < users; from += BATCH) {
    const names = Array.from({ length: Math.min(BATCH, users - from) }, (_, n) => nameOf(series, from + n));
    ids.push(...(await addUsers(names, passwordHash)));
    count(2 * names.length);
  }
  for (const pairs of inBatches(relationshipsAmong(ids, random))) {
    await addRelationships(pairs);
    count(pairs.length);
  }
  let answerable: readonly bigint[] = [];
  for (const authors of inBatches(shuffled(authorsAmong(ids, random), random))) {
    answerable = await addPosts(authors, answerable, random);
    count(authors.length);
  }
  onProgress(done, done);
}

const BULK = { isolation: 'read committed' } as const;

/** With each of them following itself, as the model's own callback has it, which bulk writes do not run. */
const addUsers = transactional(
  { ...BULK, name: 'seed users' },
  async (names: readonly string[], passwordHash: string): Promise<readonly bigint[]> => {
    const ids = await User.insertAll(
      names.map((username) => ({ username, email: `${username}@example.org`, passwordHash })),
    );
    await Relationship.insertAll(ids.map((id) => ({ followerId: id, followedId: id })));
    return ids;
  },
);

const addRelationships = transactional(
  { ...BULK, name: 'seed relationships' },
  async (pairs: readonly { readonly followerId: bigint; readonly followedId: bigint }[]): Promise<void> => {
    await Relationship.insertAll(pairs);
  },
);

/** @returns the posts among them that later ones may answer */
const addPosts = transactional(
  { ...BULK, name: 'seed posts' },
  async (authors: readonly bigint[], answerable: readonly bigint[], random: Random): Promise<readonly bigint[]> => {
    const isReply = authors.map(() => answerable.length > 0 && random() * 100 < REPLIES_PER_CENT);
    const rows = authors.map((authorId, n) => {
      const answered = isReply[n] ? random.pick(answerable) : null;
      const content = `${random.pick(OPENINGS)} ${random.pick(THINGS)}${random.pick(CLOSINGS)}`;
      return { authorId, content, inReplyToId: answered, conversationId: answered };
    });
    const ids = await Micropost.insertAll(rows);
    return ids.filter((_, n) => !isReply[n]);
  },
);

/** Whom each follows: some, seldom very many; and rather those who came early, as fame has it. */
function* relationshipsAmong(ids: readonly bigint[], random: Random) {
  for (const followerId of ids) {
    const most = Math.min(MOST_FOLLOWED, ids.length - 1);
    const wanted = Math.min(most, paretic(6, 1.4, random));
    const followed = new Set<bigint>();
    for (let tries = 0; followed.size < wanted && tries < 3 * wanted; tries++) {
      const followedId = ids[Math.floor(ids.length * random() ** 3)]!;
      if (followedId !== followerId) followed.add(followedId);
    }
    for (const followedId of followed) yield { followerId, followedId };
  }
}

function* authorsAmong(ids: readonly bigint[], random: Random) {
  for (const id of ids) {
    const posts = Math.min(MOST_POSTS, paretic(2, 1.2, random) - 1);
    for (let n = 0; n < posts; n++) yield id;
  }
}

function* inBatches<T>(all: Iterable<T>): Generator<T[]> {
  let batch: T[] = [];
  for (const one of all) {
    batch.push(one);
    if (batch.length === BATCH) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}

/** A Pareto distribution's whole part: at least `least`, and the larger `alpha`, the seldomer much more. */
const paretic = (least: number, alpha: number, random: Random) => Math.floor(least / (1 - random()) ** (1 / alpha));

/** Fisher and Yates's. */
function shuffled<T>(all: Iterable<T>, random: Random): T[] {
  const list = [...all];
  for (let n = list.length - 1; n > 0; n--) {
    const other = Math.floor(random() * (n + 1));
    [list[n], list[other]] = [list[other]!, list[n]!];
  }
  return list;
}

function nameOf(series: bigint, number: number): string {
  return `${NAMES[number % NAMES.length]}_${series.toString(36)}_${number.toString(36)}`;
}
