import { transactional } from 'bellwether';
import { Account } from '../../models/bank/account';
import { Customer } from '../../models/bank/customer';
import { Entry } from '../../models/bank/entry';
import { Product } from '../../models/bank/product';

// What is read in several queries and must fit together is read from one snapshot.

const SNAPSHOT = { isolation: 'repeatable read', readOnly: true } as const;
const BATCH = 1000;

export interface Totals {
  readonly checking: bigint;
  readonly savings: bigint;
  readonly total: bigint;
}

/**
 * Both accounts of one moment. Under `read committed` each query sees another one: a save between the two is counted
 * half, and the total flickers.
 */
export const totalBalance = transactional(
  { ...SNAPSHOT, name: 'total balance' },
  async (customerId: bigint): Promise<Totals> => {
    const checking = await Account.where({ customerId, kind: 'checking', closedAt: null }).sum('balance');
    const savings = await Account.where({ customerId, kind: 'savings', closedAt: null }).sum('balance');
    return { checking, savings, total: checking + savings };
  },
);

export interface StatementLine {
  readonly entry: Entry;
  readonly kind: string;
  readonly memo: string | null;
  readonly at: Date;
  /** The account at the other end. */
  readonly other: Account | undefined;
  /** After this entry. */
  readonly balance: bigint;
}

export interface Statement {
  readonly account: Account;
  /** The balance before the first line. */
  readonly broughtForward: bigint;
  /** Oldest first. */
  readonly lines: readonly StatementLine[];
}

/**
 * The entries of an account and the balance that they lead to, from one snapshot, however many queries it takes and
 * whatever is booked meanwhile. Read in batches of 1,000 entries.
 *
 * @param latest how many of the last entries to list; all, if not given
 */
export const statement = transactional(
  { ...SNAPSHOT, name: 'statement' },
  async (accountId: bigint, latest = Infinity): Promise<Statement> => {
    const account = await Account.where({ id: accountId }).where('customerId', 'is not', null).firstOrFail();
    const lines: StatementLine[] = [];
    let { balance } = account;
    for (let before: bigint | undefined; lines.length < latest;) {
      const all = Entry.where({ accountId }).order('id', 'desc');
      const batch = await (before === undefined ? all : all.where('id', '<', before))
        .include('movement')
        .limit(Math.min(BATCH, latest - lines.length));
      const others = await otherEnds(accountId, batch);
      for (const entry of batch) {
        const { kind, memo, createdAt: at } = entry.movement.value;
        lines.push({ entry, kind, memo, at, other: others.get(entry.movementId), balance });
        balance -= entry.amount;
      }
      before = batch.at(-1)?.id;
      if (batch.length < BATCH) break;
    }
    return { account, broughtForward: balance, lines: lines.reverse() };
  },
);

/** Of each movement, the account that is not this one, with its customer. */
async function otherEnds(accountId: bigint, entries: readonly Entry[]): Promise<Map<bigint, Account>> {
  const movementId = entries.map((entry) => entry.movementId);
  if (movementId.length === 0) return new Map();
  const ends = await Entry.where({ movementId }).where('accountId', '!=', accountId).pluck('movementId', 'accountId');
  const accounts = await Account.where({ id: [...new Set(ends.map(([, id]) => id))] }).include('customer');
  const byId = new Map(accounts.map((account) => [account.id, account]));
  return new Map(ends.flatMap(([movement, id]) => (byId.has(id) ? [[movement, byId.get(id)!] as const] : [])));
}

/** The page of a bank with ten thousand customers shows the first of them. */
const MOST_CUSTOMERS = 50;

export interface Overview {
  readonly customers: readonly { readonly customer: Customer; readonly accounts: readonly Account[] }[];
  readonly products: readonly Product[];
}

/** The customers that there were first, and what is sold, of one moment. */
export const overview = transactional({ ...SNAPSHOT, name: 'overview' }, async (): Promise<Overview> => {
  const customers = await Customer.where({ isDrill: false }).order('id').limit(MOST_CUSTOMERS).include('accounts');
  const products = await Product.order('id');
  return {
    customers: customers.map((customer) => ({
      customer,
      accounts: [...customer.accounts.value].sort((one, other) => (one.id < other.id ? -1 : 1)),
    })),
    products,
  };
});
