import { RecordNotFoundError } from 'bellwether';
import { Account } from '../../models/bank/account';
import { readId } from '../web/input';

/** An account that a customer has. What is read of it, currency and cover, never changes. */
export async function findAccount(value: unknown): Promise<Account> {
  const account = await Account.findBy({ id: readId(value, 'account') });
  if (!account || account.customerId === null) throw new RecordNotFoundError('Account', 'id');
  return account;
}
