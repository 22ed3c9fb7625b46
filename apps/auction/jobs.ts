import { enqueue, job, schedule } from 'bellwether';
import { Item } from '../../models/auction/item';
import { Watch } from '../../models/auction/watch';
import { remindOf } from './letters';
import { conclude } from './selling';
// Declare jobs of their own, which their records enqueue.
import '../../models/auction/mail';
import '../../models/auction/sale';

// What happens by itself. Nobody searches the queue when plans change: each job asks, when its time comes, whether it is
// still due. The handler and the end of its job are one transaction, so whoever crashes when, it happens once.

const IN_TRANSACTION = { isolation: 'read committed' } as const;
const MOST_AT_A_SWEEP = 1000;

/** At the end of an auction. Not due where the end was moved: then there is another job, for that time. */
export const concludeItem = job(
  'auction: conclude',
  {
    inTransaction: IN_TRANSACTION,
    stillDue: ({ itemId }: { itemId: string }) =>
      Item.due()
        .where({ id: BigInt(itemId) })
        .exists(),
  },
  ({ itemId }: { itemId: string }) => conclude({ itemId: BigInt(itemId) }),
);

interface End {
  readonly itemId: string;
  /** ISO 8601: the end that this reminds of. */
  readonly endsAt: string;
}

const stillToEnd = ({ itemId, endsAt }: End) => Item.running().where({ id: BigInt(itemId), endsAt: new Date(endsAt) });

/** Some time before the end. */
export const remindOfEnd = job(
  'auction: remind of the end',
  { inTransaction: IN_TRANSACTION, stillDue: (end: End) => stillToEnd(end).exists() },
  async (end: End): Promise<void> => {
    const item = await stillToEnd(end).first();
    if (!item) return; // it ended, or was cancelled, in this very moment
    await remindOf(item, await Watch.where({ itemId: item.id }).pluck('userId'));
  },
);

/** Concludes what should have been by now, whatever became of its job. */
export const sweep = job('auction: conclude what was missed', async (): Promise<void> => {
  const missed = await Item.due().order('endsAt').limit(MOST_AT_A_SWEEP).pluck('id');
  for (const id of missed) await enqueue(concludeItem, { itemId: String(id) });
});

schedule('auction: sweep', '* * * * *', sweep);
