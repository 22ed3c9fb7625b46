import { ENGINES, engineCalling, ISOLATION_LEVELS, PHENOMENA, verdictOn } from 'bellwether';
import type { Phenomenon } from 'bellwether';
import { createTestDatabase } from 'bellwether/testing';
import type { TestDatabase } from 'bellwether/testing';
import { play } from './schedule';
import type { Outcome, Step } from './schedule';

const get = (id: 1 | 2) => `select value from test where id = ${id}`;
const set = (id: 1 | 2, value: number) => `update test set value = ${value} where id = ${id}`;
const BY_THREE = 'select value from test where value % 3 = 0';

/** A schedule that invites an anomaly, and how one sees that it came. The rows begin as 1 → 10 and 2 → 20. */
interface Invitation {
  readonly invites: Phenomenon;
  readonly how?: string;
  readonly steps: readonly Step[];
  /** `final` holds the values of rows 1 and 2 after the last step. */
  readonly came: (outcomes: readonly Outcome[], final: readonly number[]) => boolean;
}

// Hermitage's schedules: github.com/ept/hermitage, postgres.md.
const INVITATIONS: readonly Invitation[] = [
  {
    invites: 'G0',
    steps: [`1: ${set(1, 11)}`, `2: ${set(1, 12)}`, `1: ${set(2, 21)}`, '1: commit', `2: ${set(2, 22)}`, '2: commit'],
    came: (_outcomes, final) => !['11,21', '12,22'].includes(final.join()),
  },
  {
    invites: 'G1a',
    steps: [`1: ${set(1, 101)}`, `2: ${get(1)}`, '1: rollback', `2: ${get(1)}`, '2: commit'],
    came: ([, before, , after]) => valueOf(before) === 101 || valueOf(after) === 101,
  },
  {
    invites: 'G1b',
    steps: [`1: ${set(1, 101)}`, `2: ${get(1)}`, `1: ${set(1, 11)}`, '1: commit', `2: ${get(1)}`, '2: commit'],
    came: ([, first, , , second]) => valueOf(first) === 101 || valueOf(second) === 101,
  },
  {
    invites: 'G1c',
    steps: [`1: ${set(1, 11)}`, `2: ${set(2, 22)}`, `1: ${get(2)}`, `2: ${get(1)}`, '1: commit', '2: commit'],
    came: ([, , first, second]) => valueOf(first) === 22 && valueOf(second) === 11,
  },
  {
    invites: 'OTV',
    steps: [
      `1: ${set(1, 11)}`,
      `1: ${set(2, 19)}`,
      `2: ${set(1, 12)}`,
      '1: commit',
      `3: ${get(1)}`,
      `2: ${set(2, 18)}`,
      `3: ${get(2)}`,
      '2: commit',
      `3: ${get(2)}`,
      `3: ${get(1)}`,
      '3: commit',
    ],
    came: (outcomes) => {
      const [first, second, third, fourth] = [4, 6, 8, 9].map((step) => valueOf(outcomes[step]));
      const vanishes = (x: number | undefined, y: number | undefined) => !['11,19', '12,18'].includes(`${x},${y}`);
      return vanishes(first, second) || vanishes(fourth, third);
    },
  },
  {
    invites: 'PMP',
    steps: [
      '1: select value from test where value = 30',
      '2: insert into test values (3, 30)',
      '2: commit',
      `1: ${BY_THREE}`,
      '1: commit',
    ],
    came: ([, , , again]) => valueOf(again) === 30,
  },
  {
    invites: 'PMP',
    how: 'where the condition is that of a write',
    steps: [
      '1: update test set value = value + 10',
      '2: delete from test where value = 20',
      '1: commit',
      '2: select value from test where value = 20',
      '2: commit',
    ],
    came: ([, , , again]) => valueOf(again) === 20,
  },
  {
    invites: 'P4',
    steps: [`1: ${get(1)}`, `2: ${get(1)}`, `1: ${set(1, 11)}`, `2: ${set(1, 12)}`, '1: commit', '2: commit'],
    came: allSucceeded,
  },
  {
    invites: 'G-single',
    steps: [`1: ${get(1)}`, `2: ${set(1, 12)}`, `2: ${set(2, 18)}`, '2: commit', `1: ${get(2)}`, '1: commit'],
    came: ([first, , , , second]) => valueOf(first) === 10 && valueOf(second) === 18,
  },
  {
    invites: 'G-single',
    how: 'by conditions',
    steps: [
      '1: select value from test where value % 5 = 0',
      '2: update test set value = 12 where value = 10',
      '2: commit',
      `1: ${BY_THREE}`,
      '1: commit',
    ],
    came: ([first, , , second]) => valueOf(first) === 10 && valueOf(second) === 12,
  },
  {
    invites: 'G-single',
    how: 'where the second look is a write',
    steps: [
      `1: ${get(1)}`,
      `2: ${set(1, 12)}`,
      `2: ${set(2, 18)}`,
      '2: commit',
      '1: delete from test where value = 20',
      '1: commit',
    ],
    came: allSucceeded,
  },
  {
    invites: 'G2-item',
    steps: [`1: ${get(2)}`, `2: ${get(1)}`, `1: ${set(1, 11)}`, `2: ${set(2, 21)}`, '1: commit', '2: commit'],
    came: allSucceeded,
  },
  {
    invites: 'G2',
    steps: [
      `1: ${BY_THREE}`,
      `2: ${BY_THREE}`,
      '1: insert into test values (3, 30)',
      '2: insert into test values (4, 42)',
      '1: commit',
      '2: commit',
    ],
    came: allSucceeded,
  },
  {
    invites: 'G2',
    how: 'with a third that only reads',
    steps: [
      '1: select value from test',
      '2: update test set value = value + 5 where id = 2',
      '2: commit',
      '3: select value from test',
      '3: commit',
      `1: ${set(1, 0)}`,
      '1: commit',
    ],
    came: allSucceeded,
  },
];

function allSucceeded(outcomes: readonly Outcome[]): boolean {
  return outcomes.every((outcome) => 'rows' in outcome);
}
/** The first row's value; undefined when there is none, or when the step failed. */
function valueOf(outcome: Outcome | undefined): number | undefined {
  return outcome && 'rows' in outcome ? outcome.rows[0]?.value : undefined;
}

let database: TestDatabase;
let facts: (typeof ENGINES)['PostgreSQL' | 'CockroachDB' | 'YugabyteDB'];
beforeAll(async () => {
  database = await createTestDatabase('create table test (id int primary key, value int)');
  const { rows } = await database.pool.query<{ version: string }>('select version()');
  const engine = engineCalling(rows[0]!.version);
  if (engine === 'unknown') throw new Error(`No row of the table is about ${rows[0]!.version}.`);
  facts = ENGINES[engine];
});
afterAll(() => database.drop());
beforeEach(() => database.pool.query('truncate test; insert into test values (1, 10), (2, 20)'));

test('every phenomenon is invited', () => {
  expect([...new Set(INVITATIONS.map(({ invites }) => invites))]).toEqual(Object.keys(PHENOMENA));
});

describe.each(ISOLATION_LEVELS)('%s forbids on this server what its row says', (level) => {
  test.each(INVITATIONS.map((one) => [`${one.invites}${one.how ? ` ${one.how}` : ''}`, one] as const))(
    '%s',
    async (_name, { invites, steps, came }) => {
      const outcomes = await play(database.pool, level, steps);
      const final = await database.pool.query<{ value: number }>('select value from test where id < 3 order by id');
      const values = final.rows.map(({ value }) => value);
      expect({ came: came(outcomes, values), outcomes, values }).toEqual({
        came: verdictOn(invites, facts[level]) !== 'forbidden',
        outcomes,
        values,
      });
    },
  );
});
