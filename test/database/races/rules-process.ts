import 'reflect-metadata';
import { connect } from 'bellwether';
import type { IsolationLevel } from 'bellwether';
import type { Tally } from './rules';
import { ATTACKS, race } from './rules';

/**
 * One of several processes that race the same rule: reports on its channel when it is ready for one, is told which one
 * and as whom, and reports what came of it. Ends when it is told to.
 */
export async function main(url: string, isolation: string): Promise<void> {
  const level = isolation as IsolationLevel;
  const db = await connect({ url, isolation: level, poolSize: 8 });
  process.on('message', (order: { rule: string; callers: number[] } | 'end') => {
    if (order === 'end') return void db.close().then(() => process.disconnect());
    const attack = ATTACKS.find(({ rule }) => rule === order.rule)!;
    void race(db, attack, order.callers, 'alone', [level]).then((tally: Tally) => process.send!(tally));
  });
  process.send!('ready');
}
