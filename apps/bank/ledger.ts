import type { BellwetherError } from 'bellwether';
import { Account } from '../../models/bank/account';
import { Entry } from '../../models/bank/entry';
import { Movement } from '../../models/bank/movement';
import type { MovementKind } from '../../models/bank/movement';
import type { Cover } from '../../models/bank/cover';
import { AccountClosedError, AccountNotEmptyError, InsufficientFundsError, WrongCoverError } from './errors';

/** How money leaves an account. Each is one conditional update, which decides and acts at once. */
export type Take = (account: Account, amount: bigint) => Promise<void>;

export interface Move {
  readonly kind: MovementKind;
  readonly from: Account;
  readonly to: Account;
  /** Positive, in minor units. */
  readonly amount: bigint;
  readonly memo?: string | undefined;
  /** Default: no more than the account's own balance. */
  readonly take?: Take;
}

/**
 * Moves money between two accounts and books the pair of entries. Belongs inside an operation's transaction.
 *
 * The entries come after both updates: while they are written, both rows are locked by these, so that none of them can
 * land behind a closing.
 */
export async function move({ kind, from, to, amount, memo, take = takeCovered() }: Move): Promise<Movement> {
  const steps = [
    { account: from, run: () => take(from, amount) },
    { account: to, run: () => add(to, amount) },
  ];
  // One order for all, whoever pays whom: movements that cross queue up instead of deadlocking. Were it not so, the
  // framework would retry them, at the price of PostgreSQL's deadlock timeout of a second each.
  steps.sort((one, other) => (one.account.id < other.account.id ? -1 : 1));
  for (const { account, run } of steps) if (account.customerId !== null) await run();
  const movement = await Movement.create({ kind, memo: memo ?? null });
  await Promise.all([
    Entry.create({ movement, account: from.id, amount: -amount }),
    Entry.create({ movement, account: to.id, amount }),
  ]);
  return movement;
}

/**
 * Takes no more than the account holds. Under `read committed` PostgreSQL waits for whoever is changing the row and then
 * looks at the conditions again, on the row as it is now; so nothing can come between the question and the deed.
 */
export function takeCovered(covers: readonly Cover[] = ['own']): Take {
  return async ({ id }, amount) => {
    const taken = await Account.where({ id, closedAt: null, cover: covers })
      .where('balance', '>=', amount)
      .decrement({ balance: amount });
    if (taken === 0) throw await whyNotTaken(id, covers);
  };
}

/** Takes whatever the balance is: the operation has decided already. */
export const takeDecided: Take = async ({ id }, amount) => {
  const taken = await Account.where({ id, closedAt: null }).decrement({ balance: amount });
  if (taken === 0) throw new AccountClosedError(id);
};

async function add({ id }: Account, amount: bigint): Promise<void> {
  const added = await Account.where({ id, closedAt: null }).increment({ balance: amount });
  if (added === 0) throw new AccountClosedError(id);
}

// The update has refused; what follows only finds the words for it.

async function whyNotTaken(id: bigint, covers: readonly Cover[]): Promise<BellwetherError> {
  const account = await Account.find(id);
  if (account.closedAt !== null) return new AccountClosedError(id);
  if (!covers.includes(account.cover)) return new WrongCoverError(id, account.cover);
  return new InsufficientFundsError(id);
}

export async function whyNotClosed(id: bigint): Promise<BellwetherError> {
  const account = await Account.find(id);
  return account.closedAt === null ? new AccountNotEmptyError(id) : new AccountClosedError(id);
}
