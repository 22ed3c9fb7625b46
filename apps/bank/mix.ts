import { randomBytes } from 'node:crypto';
import { Account } from '../../models/bank/account';
import { Customer } from '../../models/bank/customer';
import { Product } from '../../models/bank/product';
import { loadMix } from '../load/mix';
import type { Random } from '../load/mix';
import { audit } from './audit';
import { openBank } from './database';
import { clearAccounts } from './drill';
import * as bank from './operations';
import { statement, totalBalance } from './reading';

// The operations of the bank against one another, on few accounts so that they meet.

/** Keys are text, for all of it travels as JSON. */
export interface Stage {
  /** Begins the names of the customers of this run. */
  readonly run: string;
  /** Customers whose accounts cover themselves. */
  readonly holders: readonly Holder[];
  readonly joint: readonly Holder[];
  /** One who only saves, so that the total must stay as it is. */
  readonly saver: Holder;
  readonly productId: string;
}
interface Holder {
  readonly customerId: string;
  readonly checking: string;
  readonly savings: string;
}

const FUNDS = 20_000n;

/** A total that was read while money moved from one account to the other, and was not the same. */
class FlickerError extends Error {
  override readonly name = 'FlickerError';
}

async function prepare(): Promise<Stage> {
  const run = `Load ${randomBytes(4).toString('hex')}`;
  const open = async (name: string, cover: 'own' | 'joint'): Promise<Holder> => {
    const { id } = await bank.openCustomer({ name: `${run} ${name}`, cover, isDrill: true });
    return {
      customerId: String(id),
      checking: await openWithFunds(id, 'checking'),
      savings: await openWithFunds(id, 'savings'),
    };
  };
  const product = await Product.create({ name: run, price: 500n, currency: 'EUR', stocked: 50, stock: 50 });
  return {
    run,
    holders: [await open('A', 'own'), await open('B', 'own'), await open('C', 'own')],
    joint: [await open('D', 'joint'), await open('E', 'joint')],
    saver: await open('F', 'own'),
    productId: String(product.id),
  };
}

async function openWithFunds(customerId: bigint, kind: 'checking' | 'savings'): Promise<string> {
  const { id } = await bank.openAccount({ customerId, kind, currency: 'EUR' });
  await bank.deposit({ accountId: id, amount: FUNDS });
  return String(id);
}

async function openAndClose({ run }: Stage): Promise<void> {
  const { id: customerId } = await bank.openCustomer({ name: `${run} G`, isDrill: true });
  const { id: accountId } = await bank.openAccount({ customerId, kind: 'checking', currency: 'EUR' });
  const late = bank.deposit({ accountId, amount: 100n }); // lands before the closing, or not at all
  const [closing] = await Promise.allSettled([bank.closeAccount({ accountId }), late]);
  if (closing.status === 'rejected') throw closing.reason as Error;
}

async function total({ saver }: Stage): Promise<void> {
  const { total } = await totalBalance(BigInt(saver.customerId));
  if (total !== 2n * FUNDS) throw new FlickerError(`The total was ${total} in the middle of a transfer.`);
}

async function transfer({ holders }: Stage, random: Random): Promise<void> {
  const from = random.pick(holders);
  const to = random.pick(holders.filter((holder) => holder !== from));
  await bank.transfer({ fromId: BigInt(from.checking), toId: BigInt(to.checking), amount: amountUpTo(3000, random) });
}

const amountUpTo = (most: number, random: Random) => BigInt(1 + random.whole(most));
const accountOf = (holders: readonly Holder[], random: Random): bigint => {
  const { checking, savings } = random.pick(holders);
  return BigInt(random.pick([checking, savings]));
};

export const mix = loadMix<Stage>({
  open: openBank,
  prepare,
  actions: [
    { name: 'transfer', weight: 1, run: transfer },
    {
      name: 'deposit',
      weight: 1,
      run: ({ holders, joint }, random) =>
        bank.deposit({ accountId: accountOf([...holders, ...joint], random), amount: amountUpTo(1000, random) }),
    },
    {
      name: 'withdraw',
      weight: 1,
      run: ({ holders }, random) =>
        bank.withdraw({ accountId: accountOf(holders, random), amount: amountUpTo(3000, random) }),
    },
    {
      name: 'withdraw jointly',
      weight: 1,
      run: ({ joint }, random) =>
        bank.withdrawJointly({ accountId: accountOf(joint, random), amount: amountUpTo(5000, random) }),
    },
    {
      name: 'save',
      weight: 1,
      run: ({ holders, joint, saver }, random) =>
        bank.save({
          customerId: BigInt(random.pick([...holders, ...joint, saver]).customerId),
          amount: amountUpTo(300, random),
        }),
    },
    { name: 'total balance', weight: 1, run: total },
    { name: 'statement', weight: 1, run: ({ holders }, random) => statement(accountOf(holders, random), 100) },
    {
      name: 'buy',
      weight: 1,
      run: ({ productId, holders }, random) =>
        bank.buy({ productId: BigInt(productId), accountId: BigInt(random.pick(holders).checking) }),
    },
    { name: 'open and close', weight: 1, run: openAndClose },
  ],
  audit: async (db, stage) => audit(db, await accountsOf(stage)),
  tidy: async (stage) => {
    await clearAccounts(await accountsOf(stage));
    await Product.where({ id: BigInt(stage.productId) }).deleteAll();
  },
});

/** All that the run has opened. */
async function accountsOf({ run }: Stage): Promise<bigint[]> {
  const customers = await Customer.where('name', 'like', `${run}%`).pluck('id');
  return Account.where({ customerId: customers }).pluck('id');
}
