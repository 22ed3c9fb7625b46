import { allEnded } from '../../framework/transaction/all-ended';
import { TransactionDoomedError } from '../../framework/transaction/errors';

const first = new Error('the first');
const second = new Error('the second');
const consequence = new TransactionDoomedError(first);
const later = async (turns: number, reason: Error) => {
  for (let turn = 0; turn < turns; turn++) await Promise.resolve();
  throw reason;
};

test.each([
  ['nothing that failed: the values', [Promise.resolve(1), Promise.resolve(2)], [1, 2]],
  ['two that failed: the first in the list, whichever was told sooner', [later(9, first), later(1, second)], first],
  ['a consequence that was told sooner: what it came of', [later(9, first), later(1, consequence)], first],
  ['a consequence that stands first: what it came of', [later(1, consequence), later(9, second)], second],
  ['consequences only: the first', [later(3, consequence), Promise.resolve(1)], consequence],
] as const)('of %s', async (_name, underWay: readonly Promise<number>[], expected) => {
  const outcome = await allEnded(underWay).catch((error: unknown) => error);
  expect(outcome).toEqual(expected);
});

test('it is told when all have ended', async () => {
  let hasEnded = false;
  const slow = new Promise<void>((resolve) => setImmediate(resolve)).then(() => (hasEnded = true));
  await expect(allEnded([later(1, first), slow])).rejects.toBe(first);
  expect(hasEnded).toBe(true);
});
