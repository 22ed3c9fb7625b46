import type { ConnectOptions, Database } from 'bellwether';
import { inProject } from '../project';
import { openDatabase } from '../web/open-database';
// All models, so that `verify()` compares each with its table.
import '../../models/microblog/unsafe-tables';
import '../../models/microblog/user';

export const MIGRATIONS = inProject('migrations', 'microblog');

/** Streaming replicas of the server to read from: addresses in `REPLICA_URLS`, with commas between them. */
export const replicaUrls = (): string[] => (process.env.REPLICA_URLS ?? '').split(',').filter((url) => url !== '');

/** Connects, brings the microblog's tables up to date, and compares them with the models. */
export const openMicroblog = (options: ConnectOptions = {}): Promise<Database> =>
  openDatabase({ name: 'microblog', folder: MIGRATIONS, replicas: replicaUrls(), ...options });
