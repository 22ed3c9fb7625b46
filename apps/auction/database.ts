import { connect, installJobs, migrate } from 'bellwether';
import type { ConnectOptions, Database } from 'bellwether';
import { inProject } from '../project';
// All models, so that `verify()` compares each with its table.
import '../../models/auction/deposit';
import '../../models/auction/user';
import './jobs';

export const MIGRATIONS = inProject('migrations', 'auction');

/** Connects, brings the auction's tables and its queue of jobs up to date, and compares them with the models. */
export async function openAuction(options: ConnectOptions = {}): Promise<Database> {
  const db = await connect({ applicationName: 'auction', ...options });
  try {
    const { onProgress } = options;
    await migrate(db, { folder: MIGRATIONS, ...(onProgress && { onProgress }) });
    await installJobs(db);
    await db.use(() => db.verify());
    return db;
  } catch (error) {
    await db.close();
    throw error;
  }
}
