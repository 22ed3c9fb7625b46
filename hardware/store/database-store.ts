import { advisoryLock, BellwetherError, connect, sql } from 'bellwether';
import type { Database, Query } from 'bellwether';
import type { Ring } from '../bell/ring';
import type { Accepted, RingStore } from '../bell/ring-store';
import { StoreSetupError } from './errors';
import { ringOf, RingRecord, SCHEMA } from './ring-record';

const FORGET_EVERY = 1000;

/** In a PostgreSQL database, in a table of its own. One BellBot uses it at a time. */
export class DatabaseStore implements RingStore {
  readonly isDurable = true;
  readonly where: string;
  readonly #db: Database;
  readonly #remember: number;
  #accepted = 0;

  private constructor(db: Database, remember: number) {
    this.#db = db;
    this.#remember = remember;
    this.where = db.url;
  }

  /** Makes the table where there is none. @throws StoreSetupError */
  static async open(url: string, remember: number): Promise<DatabaseStore> {
    let db: Database | undefined;
    try {
      db = await connect({ url, applicationName: 'bellbot', poolSize: 5 });
      await makeTable(db);
      await db.use(() => db!.verify()); // connected above
      return new DatabaseStore(db, remember);
    } catch (error) {
      await db?.close();
      if (!(error instanceof BellwetherError)) throw error;
      const [what] = error.message.split('\n');
      throw new StoreSetupError({ what: `The database cannot be used: ${what}`, remedy: error.remedy, cause: error });
    }
  }

  /** One round trip: of all that come with one key at once, one is kept, and all get it. */
  accept(ring: Ring, key: string | undefined): Promise<Accepted> {
    return this.#db.use(async () => {
      if (++this.#accepted % FORGET_EVERY === 0) await this.#forget();
      const { id: ringId, queuedAt, finishedAt: _, ...others } = ring;
      const values = { ringId, queuedAt: new Date(queuedAt), finishedAt: null, ...others };
      const record =
        key === undefined
          ? await RingRecord.create({ ...values, idempotencyKey: null })
          : await RingRecord.findOrCreateBy({ idempotencyKey: key }, values);
      return { ring: ringOf(record), replayed: record.ringId !== ringId };
    });
  }

  async record({ id: ringId, status, finishedAt, error }: Ring): Promise<void> {
    const finished = finishedAt === null ? null : new Date(finishedAt);
    await this.#db.use(() => RingRecord.where({ ringId }).updateAll({ status, finishedAt: finished, error }));
  }

  find(ringId: string): Promise<Ring | undefined> {
    return this.#first(RingRecord.where({ ringId }));
  }

  findByKey(idempotencyKey: string): Promise<Ring | undefined> {
    return this.#first(RingRecord.where({ idempotencyKey }));
  }

  latest(limit: number): Promise<readonly Ring[]> {
    return this.#all(RingRecord.order('id', 'desc').limit(limit));
  }

  unfinished(): Promise<readonly Ring[]> {
    return this.#all(RingRecord.where({ finishedAt: null }).order('id'));
  }

  finishedSince(time: string): Promise<readonly Ring[]> {
    return this.#all(RingRecord.where('finishedAt', '>=', new Date(time)));
  }

  close(): Promise<void> {
    return this.#db.close();
  }

  #all(query: Query<RingRecord>): Promise<readonly Ring[]> {
    return this.#db.use(async () => (await query).map(ringOf));
  }

  async #first(query: Query<RingRecord>): Promise<Ring | undefined> {
    return (await this.#all(query.limit(1)))[0];
  }

  async #forget(): Promise<void> {
    const [oldest] = await RingRecord.order('id', 'desc').offset(this.#remember).limit(1);
    if (oldest) await RingRecord.where('id', '<=', oldest.id).where('finishedAt', 'is not', null).deleteAll();
  }
}

/** By hand, since the table may stand beside an application's own tables and migrations. */
async function makeTable(db: Database): Promise<void> {
  await db.transaction({ isolation: 'read committed' }, async () => {
    await advisoryLock('bellbot schema').take();
    const { rows } = await sql<{ table: string | null }>`select to_regclass('bellbot_rings')::text as "table"`.execute(
      db.kysely(),
    );
    if (rows[0]?.table) return;
    for (const statement of SCHEMA) await sql.raw(statement).execute(db.kysely());
  });
}
