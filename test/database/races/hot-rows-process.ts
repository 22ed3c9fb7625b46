import 'reflect-metadata';
import { Column, connect, Id, Model, sql, Table } from 'bellwether';
import type { Database, IsolationLevel } from 'bellwether';

@Table('accounts')
class Account extends Model {
  @Id('integer') declare id: number;
  @Column('integer') declare balance: number;
}

/** What one process says of its part of a race. */
export interface Report {
  readonly commits: number;
  readonly attempts: number;
  readonly errors: readonly string[];
}

export const CALLERS = 12;
export const ROUNDS = 10;

/** Both ways to take money from one to another: each caller's own account comes first, as anybody would write it. */
const MOVES: Record<string, (from: number, to: number) => Promise<unknown>> = {
  serializable: async (from, to) => {
    const giver = await Account.find(from);
    const taker = await Account.find(to);
    await giver.update({ balance: giver.balance - 1 });
    await taker.update({ balance: taker.balance + 1 });
  },
  'read committed': async (from, to) => {
    const [giver, taker] = await Account.lockAll([from, to]);
    await giver.update({ balance: giver.balance - 1 });
    await taker.update({ balance: taker.balance + 1 });
  },
};

/** Of three callers two crowd account 1, and one crosses accounts with another of its kind. */
function pairOf(caller: number): readonly [from: number, to: number] {
  if (caller % 3 > 0) return [1, 100 + caller];
  return caller % 2 === 0 ? [2, 3] : [3, 2];
}

async function crowd(db: Database, isolation: IsolationLevel, rounds: number): Promise<Report> {
  let [commits, attempts] = [0, 0];
  const errors: string[] = [];
  const caller = async (index: number) => {
    const [from, to] = pairOf(index);
    for (let round = 0; round < rounds; round++) {
      try {
        await db.transaction({ isolation }, async () => {
          attempts += 1;
          await MOVES[isolation]!(from, to);
          await sql`insert into moves (payer, payee) values (${from}, ${to})`.execute(db.kysely());
        });
        commits += 1;
      } catch (error) {
        errors.push(String(error));
      }
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, (_, index) => caller(index)));
  return { commits, attempts, errors };
}

/**
 * Started by the test; each message is a level to crowd at, and is answered with a report, unless that goes on until the
 * process is killed. Ends when the channel is closed.
 */
export async function main(url: string, applicationName: string, end?: 'never'): Promise<void> {
  const db = await connect({ url, poolSize: 8, applicationName });
  const rounds = end === 'never' ? Infinity : ROUNDS;
  process.on('message', (isolation: IsolationLevel) => {
    void db.use(() => crowd(db, isolation, rounds)).then((report) => process.send!(report));
  });
  process.once('disconnect', () => process.exit());
  process.send!('ready');
}
