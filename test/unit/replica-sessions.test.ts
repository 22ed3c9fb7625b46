import fc from 'fast-check';
import { laterOf, parseLsn, printLsn } from '../../framework/core/lsn';
import type { Lsn } from '../../framework/core/lsn';
import { untilReplayed } from '../../framework/transaction/replay-wait';

test('a position is read as it is printed, and ordered as it is in the log', () => {
  const position = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  fc.assert(
    fc.property(position, position, (one, other) => {
      expect(parseLsn(printLsn(one as Lsn))).toBe(one);
      expect(laterOf(one as Lsn, other as Lsn)).toBe(one > other ? one : other);
    }),
  );
  expect(parseLsn('16/B374D848')).toBe(0x16_b374d848n);
  for (const text of ['', '16', '16/', '/1', '16/B374D848F', 'x/1', ' 16/1', '16/1/1'])
    expect(parseLsn(text)).toBeUndefined();
});

describe('waiting for a replica', () => {
  /** A clock that only pauses move. */
  function clockwork() {
    let nowMs = 0;
    const pauses: number[] = [];
    const pause = (ms: number) => {
      pauses.push(ms);
      nowMs += ms;
      return Promise.resolve();
    };
    return { pauses, wait: { now: () => nowMs, pause } };
  }
  const after = (questions: number) => {
    let asked = 0;
    return () => Promise.resolve(++asked > questions ? asked : undefined);
  };

  test.each([
    ['there at once', { timeoutMs: 100, pollMs: 30 }, 0, 1, []],
    ['there at the third question', { timeoutMs: 100, pollMs: 30 }, 2, 3, [30, 30]],
    ['asked once more when the time is over', { timeoutMs: 100, pollMs: 30 }, 4, 5, [30, 30, 30, 10]],
    ['never there', { timeoutMs: 100, pollMs: 30 }, 99, undefined, [30, 30, 30, 10]],
    ['asked once', { timeoutMs: 0 }, 99, undefined, []],
    ['every ten milliseconds, unless told otherwise', { timeoutMs: 25 }, 99, undefined, [10, 10, 5]],
  ])('%s', async (_what, options, questions, answer, expected) => {
    const { pauses, wait } = clockwork();
    expect(await untilReplayed(after(questions), { ...options, ...wait })).toBe(answer);
    expect(pauses).toEqual(expected);
  });
});
