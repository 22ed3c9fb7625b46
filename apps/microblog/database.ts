import { connect, migrate } from 'bellwether';
import type { ConnectOptions, Database } from 'bellwether';
import { inProject } from '../project';
// All models, so that `verify()` compares each with its table.
import '../../models/microblog/unsafe-tables';
import '../../models/microblog/user';

export const MIGRATIONS = inProject('migrations', 'microblog');

/** Connects, brings the microblog's tables up to date, and compares them with the models. */
export async function openMicroblog(options: ConnectOptions = {}): Promise<Database> {
  const db = await connect({ applicationName: 'microblog', ...options });
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
