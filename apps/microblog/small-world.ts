// Six people, and what they say to one another.

export const PEOPLE = ['ada', 'blaise', 'emmy', 'grace', 'kurt', 'hypatia'] as const;
export type Person = (typeof PEOPLE)[number];

export const FOLLOWING: readonly (readonly [Person, Person])[] = [
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
export const SAID: readonly (readonly [Person, string, number?])[] = [
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
