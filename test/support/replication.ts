import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  cpSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { prepareBinaries } from '../../framework/embedded/binaries';
import type { Binaries } from '../../framework/embedded/binaries';
import { openCluster, possibleDataFolders } from '../../framework/embedded/cluster';
import type { Cluster } from '../../framework/embedded/cluster';
import { makeStateFolder, placeOf } from '../../framework/embedded/folders';
import { startPostmaster, usualPort } from '../../framework/embedded/postmaster';
import { chooseServerUser } from '../../framework/embedded/server-user';
import type { ServerUser } from '../../framework/embedded/server-user';

/** A server of a test's own; ends with the test's process at the latest. */
export interface TestServer {
  readonly url: string;
  query(text: string): Promise<Record<string, unknown>[]>;
  /** As `pg_ctl restart -m …` does it; returns when the server accepts connections again, on the same port. */
  restart(mode: keyof typeof SHUTDOWN): Promise<void>;
  /** Kills one of its processes; returns when it has recovered, as it does by itself. */
  crash(): Promise<void>;
  stop(): Promise<void>;
}

/** What each of the server's ways to shut down is asked for with (PostgreSQL manual, section 18.5). */
const SHUTDOWN = { fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

/** A primary and streaming replicas of it, as PostgreSQL's manual makes them (section 26.3.3, the low-level backup API). */
export class Replication {
  readonly primary: TestServer;
  readonly replicas: readonly TestServer[];
  readonly #folder: string;

  private constructor(folder: string, primary: TestServer, replicas: readonly TestServer[]) {
    this.#folder = folder;
    this.primary = primary;
    this.replicas = replicas;
  }

  static async start(count: number, schema: string): Promise<Replication> {
    const folder = mkdtempSync(join(tmpdir(), 'bellwether-replication-'));
    chmodSync(folder, 0o755); // the server may run as another user
    const place = placeOf(folder, 'test');
    makeStateFolder(place);
    const user = chooseServerUser(folder, possibleDataFolders(place));
    const shop: Workshop = { folder, binaries: prepareBinaries(user, place.stateFolder), user };
    const cluster = await openCluster(place, shop.binaries, user, () => {});
    const primary = await startServer(shop, cluster);
    await primary.query(schema);
    const replicas: TestServer[] = [];
    for (let index = 0; index < count; index++) replicas.push(await startReplica(shop, cluster, primary, index));
    return new Replication(folder, primary, replicas);
  }

  async stop(): Promise<void> {
    await Promise.all(this.replicas.map((replica) => replica.stop()));
    await this.primary.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

interface Workshop {
  readonly folder: string;
  readonly binaries: Binaries;
  readonly user: ServerUser | undefined;
}

async function startServer({ binaries, user, folder }: Workshop, cluster: Cluster): Promise<TestServer> {
  const name = randomBytes(4).toString('hex');
  const logFile = join(folder, `${name}.log`);
  const preferredPort = usualPort(`${cluster.dataFolder} ${name}`);
  let postmaster = await startPostmaster({ cluster, binaries, user, logFile, preferredPort });
  const { port } = postmaster;
  const url = `postgres://bellwether:${cluster.password}@127.0.0.1:${port}/postgres`;
  let client = await connected(url);
  let isStopped = false;
  return {
    url,
    query: async (text) => (await client.query<Record<string, unknown>>(text)).rows,
    restart: async (mode) => {
      process.kill(postmaster.pid, SHUTDOWN[mode]);
      await postmaster.ended;
      postmaster = await startPostmaster({ cluster, binaries, user, logFile, preferredPort: port });
      if (postmaster.port !== port) throw new Error(`Somebody else has taken port ${port}.`);
      client = await connected(url);
    },
    crash: async () => {
      const [before] = (await client.query<Checkpointer>(CHECKPOINTER)).rows;
      process.kill(before!.own, 'SIGKILL');
      client = await untilAfter(before!, url);
    },
    stop: async () => {
      if (isStopped) return;
      isStopped = true;
      await client.end();
      await postmaster.stop();
      if (!cluster.dataFolder.startsWith(folder)) rmSync(cluster.dataFolder, { recursive: true, force: true });
    },
  };
}

interface Checkpointer {
  readonly pid: number;
  readonly own: number;
}
const CHECKPOINTER = `select pid, pg_backend_pid() as own from pg_stat_activity where backend_type = 'checkpointer'`;

/** A session with the server that has recovered: its processes are others. Tries at most ten seconds long. */
async function untilAfter({ pid }: Checkpointer, url: string): Promise<Client> {
  for (const deadline = Date.now() + 10_000; ;) {
    const client = newClient(url);
    try {
      await client.connect();
      const [now] = (await client.query<Checkpointer>(CHECKPOINTER)).rows;
      if (now && now.pid !== pid) return client;
      throw new Error('The server has not crashed yet.');
    } catch (error) {
      await client.end().catch(() => {}); // it may be gone
      if (Date.now() > deadline) throw error;
    }
  }
}

function newClient(url: string): Client {
  const client = new Client({ connectionString: url });
  return client.on('error', () => {}); // the server was stopped by the test
}

async function connected(url: string): Promise<Client> {
  const client = newClient(url);
  await client.connect();
  return client;
}

async function startReplica(shop: Workshop, of: Cluster, primary: TestServer, index: number): Promise<TestServer> {
  const dataFolder = `${of.dataFolder}-replica-${index}`;
  await primary.query(`select pg_backup_start('replica', true)`);
  const isCopied = (path: string) => !path.endsWith('/postmaster.pid') && !path.endsWith('/postmaster.opts');
  cpSync(of.dataFolder, dataFolder, { recursive: true, filter: isCopied });
  const [label] = await primary.query('select labelfile from pg_backup_stop(false)');
  writeFileSync(join(dataFolder, 'backup_label'), label!.labelfile as string);
  writeFileSync(join(dataFolder, 'standby.signal'), '');
  const { hostname, port, username, password } = new URL(primary.url);
  const connection = `host=${hostname} port=${port} user=${username} password=${password}`;
  appendFileSync(join(dataFolder, 'postgresql.auto.conf'), `\nprimary_conninfo = '${connection}'\n`);
  give(dataFolder, shop.user);
  return startServer(shop, { ...of, dataFolder });
}

/** A server insists on owning its data. */
function give(path: string, user: ServerUser | undefined): void {
  const isFolder = lstatSync(path).isDirectory();
  if (user) chownSync(path, user.uid, user.gid);
  if (!isFolder) return;
  chmodSync(path, 0o700);
  for (const name of readdirSync(path)) give(join(path, name), user);
}
