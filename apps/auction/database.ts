import { installJobs } from 'bellwether';
import type { ConnectOptions, Database } from 'bellwether';
import { inProject } from '../project';
import { openDatabase } from '../web/open-database';
// All models, so that `verify()` compares each with its table.
import '../../models/auction/deposit';
import '../../models/auction/user';
import './jobs';

export const MIGRATIONS = inProject('migrations', 'auction');

/** Connects, brings the auction's tables and its queue of jobs up to date, and compares them with the models. */
export async function openAuction(options: ConnectOptions = {}): Promise<Database> {
  const db = await openDatabase({ name: 'auction', folder: MIGRATIONS, ...options });
  try {
    await installJobs(db);
    return db;
  } catch (error) {
    await db.close();
    throw error;
  }
}
