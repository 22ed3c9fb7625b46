import { channel, notify } from 'bellwether';
import type { Channel, Database } from 'bellwether';

// The compiler is what is tested here: `npx tsc --noEmit` fails when a line marked as an error compiles.

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Expect<T extends true> = T;

interface Posted {
  postId: string;
  tags?: string[];
}

/** Compiled, never run: each line that must not compile says so. */
export async function calls(db: Database): Promise<void> {
  const posted = channel<Posted>('posted');
  void (0 as unknown as Expect<Equal<typeof posted, Channel<Posted>>>);

  await notify(posted, { postId: '1' });
  await notify('free', { any: ['thing'] });
  await notify('free');
  await db.listen(posted, ({ postId }) => void postId.length, { onGap: () => undefined });
  await db.listen('free', (payload) => void (payload as string));

  // @ts-expect-error the payload is missing
  await notify(posted);
  // @ts-expect-error an attribute has another type
  await notify(posted, { postId: 1 });
  // @ts-expect-error an attribute is unknown
  await notify(posted, { postId: '1', sum: 1 });
  // @ts-expect-error a payload that nobody has described is unknown
  await db.listen('free', (payload) => payload.length);
  // @ts-expect-error another payload
  await db.listen(posted, ({ sum }: { sum: number }) => sum);
  // @ts-expect-error JSON has no bigint
  channel<{ id: bigint }>('sums');
}

test('the calls above compile', () => expect(calls).toBeInstanceOf(Function));
