import { connect, currentTransaction, enqueue, job, sql, startWorkers } from 'bellwether';
import type { Database, JobContext } from 'bellwether';

/** What a job of the test says of itself; `crash` and `hold` happen to its first attempt only. */
export type Strike = { readonly saleId: string; readonly fate?: 'hold' | 'crash after commit' };
/** What a process tells the test. */
export type Message = 'ready' | { readonly holding: string } | { readonly takenOver: number };

/** How long a process must be gone before another takes its jobs, in milliseconds. */
export const TAKE_OVER_AFTER_MS = 300;

let db: Database;

/** For a test whose own process works, too. */
export function workOn(database: Database): void {
  db = database;
}

async function strike({ saleId, fate }: Strike, { job: { attempt } }: JobContext): Promise<void> {
  const doomed = attempt === 1 ? fate : undefined;
  if (doomed === 'crash after commit') currentTransaction()?.afterCommit(dieAtOnce);
  await sql`insert into strikes values (${saleId}, ${process.pid})`.execute(db.kysely());
  if (doomed === 'hold') {
    process.send!({ holding: saleId } satisfies Message);
    await new Promise(() => {});
  }
  if (doomed === 'crash after commit' && !currentTransaction()) dieAtOnce();
}

function dieAtOnce(): void {
  process.kill(process.pid, 'SIGKILL');
}

export const once = job('once', { inTransaction: true }, strike);
export const atLeastOnce = job('at-least-once', strike);

/** Started by the test with the database's address and what to do. */
export async function main(url: string, task: 'work' | 'sell and die', name?: string): Promise<void> {
  db = await connect({ url, poolSize: 6 });
  if (task === 'sell and die') {
    await db.transaction(async () => {
      await sql`insert into sales values ('17')`.execute(db.kysely());
      await enqueue(once, { saleId: '17' }, { key: 'sale-17' });
    });
    dieAtOnce();
  }
  db.on('job:taken-over', ({ jobId }) => void process.send!({ takenOver: Number(jobId) } satisfies Message));
  const jobs = [once, atLeastOnce].filter((one) => name === undefined || one.name === name);
  const workers = await startWorkers(db, { jobs, takeOverAfterMs: TAKE_OVER_AFTER_MS, pollIntervalMs: 200 });
  process.send!('ready' satisfies Message);
  process.once('message', () => {
    void workers
      .stop()
      .then(() => db.close())
      .then(() => process.disconnect());
  });
}
