import 'reflect-metadata';
import { BellwetherError } from 'bellwether';
import { mix } from '../../../apps/microblog/mix';
import { seeded } from '../../../apps/load/mix';
import type { Action } from '../../../apps/load/mix';

/** What one process says of its part. */
export interface Report {
  /** How often each action was done, or refused by a rule. */
  readonly done: Record<string, number>;
  readonly refused: number;
  /** What ended in any other way. */
  readonly failed: string[];
}

const CALLERS = 5;
const ROUNDS = 24;

/** Started by the test with the database's address and the stage; begins when it is told to, and reports on its channel. */
export async function main(url: string, stage: string, seed: string): Promise<void> {
  const db = await mix.open({ url, poolSize: CALLERS });
  const start = new Promise<void>((resolve) => process.once('message', () => resolve()));
  process.send!('ready');
  await start;
  const report: { done: Record<string, number>; refused: number; failed: string[] } = {
    done: {},
    refused: 0,
    failed: [],
  };
  const random = seeded(Number(seed));
  // The seldom ones as often as the others: they are what may break a rule.
  const act = async ({ name, run }: Action<unknown>) => {
    try {
      await run(JSON.parse(stage) as unknown, random);
      report.done[name] = (report.done[name] ?? 0) + 1;
    } catch (error) {
      if (error instanceof BellwetherError && mix.isRefusal!(error)) report.refused++;
      else report.failed.push(String(error));
    }
  };
  const caller = async () => {
    for (let round = 0; round < ROUNDS; round++) await act(random.pick(mix.actions));
  };
  await db.use(() => Promise.all(Array.from({ length: CALLERS }, caller)));
  await db.close();
  process.send!(report);
  process.disconnect();
}
