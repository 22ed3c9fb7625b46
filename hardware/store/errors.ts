import { BellBotError } from '../errors';

/** The store cannot be opened. */
export class StoreSetupError extends BellBotError {
  override readonly code = 'E_STORE_SETUP';
  override readonly recovery = 'fix-the-setup';
}
