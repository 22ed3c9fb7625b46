import 'reflect-metadata';
import { BelongsTo, Column, connect, Id, Invariant, InvariantViolationError, LockedBy, Model, Table } from 'bellwether';
import type { IsolationLevel } from 'bellwether';

@Table('accounts')
@Invariant<Account>('joint cover', { over: 'customerId', having: 'sum(balance) >= 0' })
class Account extends Model {
  @Id('integer') declare id: number;
  @Column('integer') declare customerId: number;
  @Column('integer') declare balance: number;
}

@Table('auctions')
class Auction extends Model {
  @Id('integer') declare id: number;
}

@Table('bids')
@LockedBy<Bid>('auction')
class Bid extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => Auction) declare auction: BelongsTo<Auction>;
  @Column('integer') declare auctionId: number;
  @Column('integer') declare amount: number;
}

/** What one process says of its part of a race. */
export interface Report {
  done: number;
  refused: number;
  bids: number;
  other: string[];
}

const CALLERS = 8;
const ROUNDS = 3;
const LEVELS: readonly IsolationLevel[] = ['read committed', 'repeatable read', 'serializable'];

/** Started by the test, with the database's address; begins when it is told to, and reports on its channel. */
export async function main(url: string): Promise<void> {
  const db = await connect({ url, poolSize: CALLERS });
  const start = new Promise<void>((resolve) => process.once('message', () => resolve()));
  process.send!('ready');
  await start;
  const report: Report = { done: 0, refused: 0, bids: 0, other: [] };
  const caller = async (n: number) => {
    for (let round = 0; round < ROUNDS; round++) {
      const isolation = LEVELS[(n + round) % LEVELS.length]!;
      try {
        await db.transaction({ isolation }, () => Account.where({ id: n % 4 }).decrement({ balance: 1 }));
        report.done += 1;
      } catch (error) {
        if (error instanceof InvariantViolationError) report.refused += 1;
        else report.other.push(String(error));
      }
      try {
        await db.transaction({ isolation }, async () => {
          const auctions = n % 2 === 0 ? [1, 2] : [2, 1];
          for (const auction of auctions) {
            const bid = await Bid.create({ auction, amount: 0 }); // from here on nobody else bids there
            await bid.update({ amount: ((await Bid.where({ auctionId: auction }).maximum('amount')) ?? 0) + 1 });
          }
        });
        report.bids += 2;
      } catch (error) {
        report.other.push(String(error));
      }
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, (_, n) => caller(n)));
  await db.close();
  process.send!(report);
  process.disconnect();
}
