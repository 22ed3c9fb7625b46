import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setUp } from '../transaction/support';
import type { Tally } from './rules';
import { ATTACKS, SCHEMA } from './rules';
import { startProcess } from './typescript-process';

const { database } = setUp(SCHEMA);
const CALLERS = 32;

/** The next message of a child process; its end without one is an error. */
function message<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null) => reject(new Error(`The process ended with ${code} and said nothing.`));
    child.once('exit', ended);
    child.once('message', (said) => {
      child.off('exit', ended);
      resolve(said as T);
    });
  });
}

const LEVELS = [
  ['read committed', 'read committed'],
  ['repeatable read', 'repeatable read'],
  ['serializable', 'serializable'],
  ['serializable', 'read committed'],
  ['repeatable read', 'serializable'],
] as const;

describe.each(LEVELS)('two processes, at %s and at %s', (...levels) => {
  let children: readonly ChildProcess[] = [];
  beforeAll(async () => {
    const file = join(__dirname, 'rules-process.ts');
    children = levels.map((isolation) => startProcess(file, [database().url, isolation]));
    await Promise.all(children.map(message));
  });
  afterAll(() => {
    for (const child of children) child.send('end');
  });

  test.each(ATTACKS.map((attack) => [attack.rule, attack] as const))('%s', async (rule, attack) => {
    await database().pool.query(attack.reset);
    const tallies = children.map((child) => message<Tally>(child));
    children.forEach((child, index) => {
      const callers = Array.from({ length: CALLERS }, (_, caller) => caller + index * CALLERS);
      child.send({ rule, callers });
    });
    const both = await Promise.all(tallies);
    const legal = attack.legal(2 * CALLERS);
    expect(both.flatMap(({ other }) => other)).toEqual([]);
    expect(both.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(legal);
    expect(both.reduce((sum, { refused }) => sum + (refused[attack.message] ?? 0), 0)).toBe(2 * CALLERS - legal);
    expect((await database().pool.query(attack.violations)).rows).toEqual([]);
  });
});
