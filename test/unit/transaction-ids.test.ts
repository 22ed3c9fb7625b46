import { TransactionIds } from '../../framework/database/transaction-ids';

const WRAP = 2n ** 32n;

test.each([
  ['a little later', 1_000n, '1005', 1_005n],
  ['a little earlier', 1_000n, '990', 990n],
  ['after the numbers began anew', WRAP * 3n - 5n, '7', WRAP * 3n + 7n],
  ['before they began anew', WRAP * 3n + 5n, String(WRAP - 7n), WRAP * 3n - 7n],
])('a number of %s gets its upper half back', (_, latest, xmin, full) => {
  expect(new TransactionIds(latest).full(xmin)).toBe(String(full));
});

test('each number that is seen is where the next is looked for', () => {
  const ids = new TransactionIds(10n);
  for (const step of [2_000_000_000n, 4_000_000_000n, 6_000_000_000n, 8_000_000_000n]) {
    expect(ids.full(String(step % WRAP))).toBe(String(step));
  }
});
