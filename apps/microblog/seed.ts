import { transactional } from 'bellwether';
import { User } from '../../models/microblog/user';
import { hashPassword } from '../web/passwords';
import { follow, post, register, reply } from './operations';

/** Everybody of the small world signs in with it. */
export const PASSWORD = 'call-the-bell';

const PEOPLE = ['ada', 'blaise', 'emmy', 'grace', 'kurt', 'hypatia'] as const;
type Person = (typeof PEOPLE)[number];

const FOLLOWING: readonly (readonly [Person, Person])[] = [
  ['ada', 'blaise'],
  ['ada', 'emmy'],
  ['ada', 'grace'],
  ['blaise', 'ada'],
  ['blaise', 'hypatia'],
  ['emmy', 'ada'],
  ['emmy', 'kurt'],
  ['grace', 'ada'],
  ['grace', 'emmy'],
  ['kurt', 'emmy'],
  ['hypatia', 'ada'],
];

/** Who says what; a number is the post before, counted from the first, that it answers. */
const SAID: readonly (readonly [Person, string, number?])[] = [
  ['hypatia', 'The geometry class begins at noon, in the shade of the library.'],
  ['ada', 'The engine weaves algebraical patterns just as the loom weaves flowers and leaves.'],
  ['blaise', 'I would have written a shorter post, but I did not have the time.'],
  ['ada', '280 characters are plenty, @blaise.', 2],
  ['blaise', 'You are right. Wager you that I manage it twice in a row.', 3],
  ['emmy', 'To every symmetry its conservation law. Today: followers and followed.'],
  ['kurt', '@emmy Is that statement provable from within the feed?', 5],
  ['emmy', 'It is held by a unique index, so it need not be.', 6],
  ['grace', 'Found a moth in relay 70 this morning. First actual case of a bug being found.'],
  ['ada', 'Did it commit?', 8],
  ['grace', 'It was rolled back, and the insect with it.', 9],
];

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
