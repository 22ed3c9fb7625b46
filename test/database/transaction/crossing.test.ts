import { Column, DeadlockError, Id, Model, Table } from 'bellwether';
import type { Database } from 'bellwether';
import { barrier, setUp } from './support';

@Table('wallets')
class Wallet extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare balance: bigint;
}

const { open } = setUp(
  'create table wallets (id bigint generated always as identity primary key, balance bigint not null)',
);

/** Moves 1 as anybody would write it: each transaction locks its own payer's row first. */
async function move(db: Database, from: bigint, to: bigint, meet?: () => Promise<void>) {
  await db.transaction(async ({ attempt }) => {
    const [payer, payee] = [await Wallet.find(from), await Wallet.find(to)];
    await payer.update({ balance: payer.balance - 1n });
    if (attempt === 1) await meet?.();
    await payee.update({ balance: payee.balance + 1n });
  });
}

test('transactions that cross deadlock once; those that follow begin with the queues for both rows', async () => {
  const db = await open({ poolSize: 16 });
  const deadlocks: unknown[] = [];
  db.on('transaction:retry', ({ error }) => error instanceof DeadlockError && deadlocks.push(error));
  await db.use(async () => {
    const [a, b] = [await Wallet.create({ balance: 100n }), await Wallet.create({ balance: 100n })];
    const both = barrier(2);
    await Promise.all([move(db, a.id, b.id, both), move(db, b.id, a.id, both)]);
    expect(deadlocks).toHaveLength(1);
    const crossing = Array.from({ length: 64 }, (_, index) =>
      index % 2 === 0 ? move(db, a.id, b.id) : move(db, b.id, a.id),
    );
    await Promise.all(crossing);
    expect(deadlocks).toHaveLength(1);
    expect([(await a.reload()).balance, (await b.reload()).balance]).toEqual([100n, 100n]);
  });
});
