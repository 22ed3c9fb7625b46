import { connect, migrate } from 'bellwether';
import type { ConnectOptions, Database } from 'bellwether';
import { inProject } from '../project';
// All models, so that `verify()` compares each with its table.
import '../../models/bank/purchase';
import '../../models/bank/account';

export const MIGRATIONS = inProject('migrations', 'bank');

/** Connects, brings the bank's tables up to date, and compares them with the models. */
export async function openBank(options: ConnectOptions = {}): Promise<Database> {
  const db = await connect({ applicationName: 'bank', ...options });
  try {
    const { onProgress } = options;
    await migrate(db, { folder: MIGRATIONS, ...(onProgress && { onProgress }) });
    await db.use(() => db.verify());
    return db;
  } catch (error) {
    await db.close();
    throw error;
  }
}
