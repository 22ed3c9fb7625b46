import 'reflect-metadata';
import { Column, connect, Id, Model, StaleRecordError, Table, Unique, ValidationError } from 'bellwether';

@Table('counters')
class Counter extends Model {
  @Id('integer') declare id: number;
  @Column('integer') declare value: number;
}

@Table('members')
class Member extends Model {
  @Id() declare readonly id: bigint;
  @Column() @Unique() declare email: string;
}

/** What one process says of its part of a race. */
export interface Report {
  acknowledged: number;
  stale: number;
  created: number;
  taken: number;
  other: string[];
}

const CALLERS = 8;
const ROUNDS = 15;

async function caller(report: Report): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    try {
      const counter = await Counter.find(1);
      await counter.update({ value: counter.value + 1 });
      report.acknowledged += 1;
    } catch (error) {
      if (error instanceof StaleRecordError) report.stale += 1;
      else report.other.push(String(error));
    }
    try {
      await Member.create({ email: `member${round}@x.org` });
      report.created += 1;
    } catch (error) {
      if (error instanceof ValidationError && error.on('email').join() === 'is taken') report.taken += 1;
      else report.other.push(String(error));
    }
  }
}

/** Started by the test, with the database's address; begins when it is told to, and reports on its channel. */
export async function main(url: string): Promise<void> {
  const db = await connect({ url, poolSize: CALLERS });
  const start = new Promise<void>((resolve) => process.once('message', () => resolve()));
  process.send!('ready');
  await start;
  const report: Report = { acknowledged: 0, stale: 0, created: 0, taken: 0, other: [] };
  await Promise.all(Array.from({ length: CALLERS }, () => caller(report)));
  await db.close();
  process.send!(report);
  process.disconnect();
}
