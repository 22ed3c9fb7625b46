import { enqueue, job, schedule } from 'bellwether';
import type { Enqueued, Job, JobContext } from 'bellwether';

// The compiler is what is tested here: `npx tsc --noEmit` fails when a line marked as an error compiles.

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Expect<T extends true> = T;

interface Sale {
  saleId: string;
  lines: { sku: string; count: number }[];
  note?: string;
}

/** Compiled, never run: each line that must not compile says so. */
export async function calls(): Promise<void> {
  const ring = job('ring', (_payload: Sale, _context: JobContext) => Promise.resolve());
  const nightly = job('nightly', () => Promise.resolve());
  void (0 as unknown as Expect<Equal<typeof ring, Job<Sale>>>);

  const answer: Enqueued = await enqueue(ring, { saleId: '1', lines: [{ sku: 'a', count: 2 }] }, { key: 'sale-1' });
  const id: bigint = answer.id;
  await enqueue(nightly);
  await enqueue(nightly, {}, { delayMs: 5 });
  schedule('each-night', '0 4 * * *', nightly);
  schedule('each-noon', '0 12 * * *', ring, { saleId: String(id), lines: [] }, { backfillMs: 1 });

  // @ts-expect-error the payload is missing
  await enqueue(ring);
  // @ts-expect-error an attribute is missing
  await enqueue(ring, { saleId: '1' });
  // @ts-expect-error an attribute has another type
  await enqueue(ring, { saleId: 1, lines: [] });
  // @ts-expect-error an attribute is unknown
  await enqueue(ring, { saleId: '1', lines: [], sum: 1 });
  // @ts-expect-error an option is unknown
  await enqueue(nightly, {}, { jobKey: 'a' });
  // @ts-expect-error this job takes no payload
  await enqueue(nightly, { saleId: '1' });
  // @ts-expect-error the payload is missing
  schedule('each-hour', '0 * * * *', ring);

  // @ts-expect-error JSON has no bigint
  job('bigint', (_payload: { id: bigint }) => Promise.resolve());
  // @ts-expect-error JSON has no Date
  job('date', (_payload: { at: Date }) => Promise.resolve());
  // @ts-expect-error JSON has no undefined
  job('undefined', (_payload: { at: string | undefined }) => Promise.resolve());
  // @ts-expect-error nor has a list in it
  job('list', (_payload: { all: { id: bigint }[] }) => Promise.resolve());
  // @ts-expect-error stillDue is asked with the same payload
  job('due', { stillDue: ({ id }: { id: number }) => id > 1 }, (_payload: { id: string }) => Promise.resolve());
  // @ts-expect-error an isolation level that is none
  job('level', { inTransaction: { isolation: 'snapshot' } }, () => Promise.resolve());
}

test('the calls above compile, and those that must not do not', () => {
  expect(typeof calls).toBe('function');
});
