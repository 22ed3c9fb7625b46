import { BellwetherError } from 'bellwether';
import { bid, cancelBid } from '../../../apps/auction/bidding';
import { openAuction } from '../../../apps/auction/database';
import { offer } from '../../../apps/auction/offering';
import { addFunds } from '../../../apps/auction/people';
import { itemPage } from '../../../apps/auction/reading';
import { buyNow } from '../../../apps/auction/selling';

/** What a trader was told is done: the row that must be there. */
export interface Done {
  readonly table: 'bids' | 'sales' | 'items' | 'deposits';
  readonly id: string;
}
export type Heard = { readonly done: Done } | { readonly refused: string } | { readonly strange: string };

export interface Market {
  readonly userIds: readonly string[];
  readonly itemIds: readonly string[];
  readonly categoryId: string;
}

const TRADERS = 16;
/** Of a process: the bell takes its time for each. */
const [MOST_BOUGHT, MOST_OFFERED] = [5, 3];

/** Sixteen who trade until they are told to stop, and tell what they are told. */
export async function main(url: string, marketAsJson: string): Promise<void> {
  const { userIds, itemIds, categoryId } = JSON.parse(marketAsJson) as Market;
  const db = await openAuction({ url, applicationName: 'trader', poolSize: 6 });
  const [someone, something] = [() => BigInt(oneOf(userIds)), () => BigInt(oneOf(itemIds))];
  let [isOver, bought, offered] = [false, 0, 0];
  process.once('message', () => (isOver = true));

  const raise = async (): Promise<Done> => {
    const { item } = await itemPage(something());
    const { id } = await bid({ itemId: item.id, bidderId: someone(), amount: item.leastBid });
    return { table: 'bids', id: String(id) };
  };
  const takeBack = async (): Promise<Done | undefined> => {
    const { item } = await itemPage(something());
    if (item.highestBidId === null || item.leaderId === null) return undefined;
    const { id } = await cancelBid({ bidId: item.highestBidId, bidderId: item.leaderId });
    return { table: 'bids', id: String(id) };
  };
  const pay = async (): Promise<Done> => {
    const { id } = await addFunds({ userId: someone(), amount: 1_000n });
    return { table: 'deposits', id: String(id) };
  };
  const buy = async (): Promise<Done | undefined> => {
    if (++bought > MOST_BOUGHT) return undefined;
    const { id } = await buyNow({ itemId: something(), buyerId: someone() });
    return { table: 'sales', id: String(id) };
  };
  /** It ends in a moment; the workers conclude it. */
  const sell = async (): Promise<Done | undefined> => {
    if (++offered > MOST_OFFERED) return undefined;
    const endsAt = new Date(Date.now() + 1_000);
    const [sellerId, price] = [someone(), { startPrice: 100n, bidStep: 10n }];
    const { id } = await offer({ sellerId, categoryId: BigInt(categoryId), name: 'Soon over', ...price, endsAt });
    await bid({ itemId: id, bidderId: someone(), amount: 100n }).catch(() => undefined);
    return { table: 'items', id: String(id) };
  };

  const tell = (heard: Heard) => process.send!(heard);
  const trader = async (): Promise<void> => {
    while (!isOver) {
      try {
        const done = await oneOf([raise, raise, raise, takeBack, pay, buy, sell])();
        if (done) tell({ done });
      } catch (error) {
        tell(error instanceof BellwetherError ? { refused: error.code } : { strange: String((error as Error).stack) });
      }
      await new Promise((resolve) => setImmediate(resolve)); // for the message that says stop
    }
  };
  await db.use(() => Promise.all(Array.from({ length: TRADERS }, trader)));
  await db.close();
  process.disconnect();
}

const oneOf = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)]!;
