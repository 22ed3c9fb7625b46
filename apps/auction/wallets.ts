import { Wallet } from '../../models/auction/wallet';
import { InsufficientFundsError } from './errors';

/** What is added to a wallet, in minor units; negative for what is taken. */
export interface Change {
  readonly balance?: bigint;
  readonly reserved?: bigint;
}

export type UserId = bigint;

/**
 * Changes wallets, each by one conditional update, which decides and acts at once. In the order of their users, whoever
 * pays whom, and after the item that it is about: so operations that cross queue up instead of deadlocking.
 *
 * @throws InsufficientFundsError for one whose available money does not cover what is taken or reserved
 */
export async function changeWallets(changes: readonly (readonly [UserId, Change])[]): Promise<void> {
  const byUser = new Map<UserId, Required<Change>>();
  for (const [userId, { balance = 0n, reserved = 0n }] of changes) {
    const sum = byUser.get(userId) ?? { balance: 0n, reserved: 0n };
    byUser.set(userId, { balance: sum.balance + balance, reserved: sum.reserved + reserved });
  }
  const inOrder = [...byUser].sort(([one], [other]) => (one < other ? -1 : 1));
  const outcomes = await Promise.all(inOrder.map(([userId, change]) => changeWallet(userId, change)));
  const refused = outcomes.indexOf(false);
  if (refused >= 0) throw new InsufficientFundsError(inOrder[refused]![0]);
}

/** @returns false, with nothing changed, when the wallet does not cover it */
export async function changeWallet(userId: UserId, { balance = 0n, reserved = 0n }: Change): Promise<boolean> {
  const changed = await Wallet.where({ userId })
    .where('available', '>=', reserved - balance)
    .increment({ balance, reserved });
  return changed === 1;
}
