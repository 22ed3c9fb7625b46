import { connect, createDatabase, migrate } from 'bellwether';
import type { ConnectOptions, Database } from 'bellwether';
import './models';

export interface OpenOptions extends ConnectOptions {
  /** Of the application, and of its database: another one when `<NAME>_DATABASE` is set in the environment. */
  readonly name: string;
  /** Its migrations. */
  readonly folder: string;
}

/**
 * Connects to the application's own database, which is created when it is not there, brings its tables up to date, and
 * compares them with the models. With `url`, or `database`, that one is taken as it is.
 */
export async function openDatabase({ name, folder, ...options }: OpenOptions): Promise<Database> {
  const { url, database = url === undefined ? databaseOf(name) : undefined, onProgress } = options;
  if (options.database === undefined && database !== undefined) {
    await createDatabase(database, { ...(onProgress && { onProgress }) });
  }
  const db = await connect({ applicationName: name, ...options, ...(database !== undefined && { database }) });
  try {
    await migrate(db, { folder, ...(onProgress && { onProgress }) });
    await db.use(() => db.verify());
    return db;
  } catch (error) {
    await db.close();
    throw error;
  }
}

const databaseOf = (name: string): string => process.env[`${name.toUpperCase()}_DATABASE`] || name;
