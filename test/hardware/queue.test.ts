import fc from 'fast-check';
import { BellService } from '../../hardware/bell/bell-service';
import { RefusedError } from '../../hardware/bell/errors';
import type { Ring } from '../../hardware/bell/ring';
import type { LostPolicy } from '../../hardware/bell/settings';
import { MemoryStore } from '../../hardware/store/memory-store';
import { FakeBoard } from './fake-board';
import { ManualClock } from './manual-clock';
import { DESK } from './serving';

type Event = { readonly do: 'ring' | 'plug' | 'unplug' } | { readonly do: 'pass'; readonly ms: number };

const LIMIT = 3;
const BELL = { ...DESK, queue: LIMIT };
const WAIT_LIMIT_MS = 5_000;

const events = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.constant<Event>({ do: 'ring' }) },
    { weight: 6, arbitrary: fc.integer({ min: 1, max: 2_500 }).map((ms): Event => ({ do: 'pass', ms })) },
    { weight: 1, arbitrary: fc.constant<Event>({ do: 'unplug' }) },
    { weight: 2, arbitrary: fc.constant<Event>({ do: 'plug' }) },
  ),
  { minLength: 5, maxLength: 40 },
);

interface Played {
  readonly board: FakeBoard;
  /** Each ring's statuses, in order. */
  readonly histories: ReadonlyMap<string, readonly Ring['status'][]>;
  readonly told: readonly Ring[];
  readonly accepted: readonly string[];
  /** Whether each refusal came when the queue was full, or the board away. */
  readonly refusals: readonly boolean[];
}

async function play(script: readonly Event[], whenLost: LostPolicy): Promise<Played> {
  const clock = new ManualClock();
  const board = new FakeBoard(clock);
  const store = new MemoryStore({ remember: 1000 });
  const service = new BellService({ bells: [BELL], board, store, clock, whenLost, waitLimitMs: WAIT_LIMIT_MS });
  const told: Ring[] = [];
  const [accepted, refusals]: [string[], boolean[]] = [[], []];
  service.events.on('ring', (ring) => told.push(ring));
  for (const event of script) {
    const before = service.view();
    if (event.do === 'pass') await clock.advance(event.ms);
    else if (event.do === 'plug' && board.status === 'lost') board.become('ready');
    else if (event.do === 'unplug' && board.status === 'ready') board.become('lost');
    else if (event.do === 'ring') {
      try {
        accepted.push((await service.request({ kind: 'ring' })).ring.id);
      } catch (error) {
        if (!(error instanceof RefusedError)) throw error;
        const isFull = before.bells[0]!.queued >= LIMIT; // one that was put back is beside the bound
        refusals.push(isFull || (whenLost === 'refuse' && before.board.status !== 'ready'));
      }
    }
  }
  await clock.advance(60_000);
  const histories = new Map(
    accepted.map((id) => [id, told.filter((ring) => ring.id === id).map(({ status }) => status)]),
  );
  return { board, histories, told, accepted, refusals };
}

const HISTORIES = [
  ['queued', 'striking', 'rung'],
  ['queued', 'striking', 'failed'],
  ['queued', 'failed'],
];

describe.each(['wait', 'refuse'] as const)('whatever happens, under the policy %s', (policy) => {
  test('each accepted ring has one end, what is told rung was struck whole, in order, at the pace, and none else', async () => {
    const seen = { rung: 0, failed: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(events, async (script) => {
        const { board, histories, told, accepted, refusals } = await play(script, policy);
        for (const history of histories.values()) expect(HISTORIES).toContainEqual(history);
        const rung = told.filter(({ status }) => status === 'rung');
        const begun = told.filter(({ status }) => status === 'striking').map(({ id }) => id);
        const strikes = board.commands.filter(({ degrees }) => degrees === BELL.strike);
        const returns = board.commands.filter(({ degrees }) => degrees === BELL.start);
        expect(strikes).toHaveLength(begun.length);
        expect(returns).toHaveLength(rung.length);
        expect(begun).toEqual(accepted.filter((id) => begun.includes(id)));
        for (const [index, { atMs }] of strikes.slice(1).entries()) {
          expect(atMs - strikes[index]!.atMs).toBeGreaterThanOrEqual(BELL.pdelay);
        }
        expect(refusals).not.toContain(false);
        seen.rung += rung.length;
        seen.failed += told.filter(({ status }) => status === 'failed').length;
        seen.refused += refusals.length;
      }),
      { numRuns: 150 },
    );
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(30); // the scripts lead to all ends
  });
});
