import { explainOperation, sql, Transactional, transactional } from 'bellwether';
import type { OperationOptions } from 'bellwether';
import { countRoundTrips } from 'bellwether/testing';
import { Terms } from '../../../framework/transaction/operation';
import { setUp } from '../transaction/support';

const { database, db, open } = setUp('create table things (id int primary key)');

const nothing = () => Promise.resolve();
const explain = (options: OperationOptions) => db().use(() => transactional(options, nothing).explain());
const lines = (options: OperationOptions) => String(explain(options)).split('\n');

test('by need: what was chosen and why, from where, what it costs, and what to do instead', () => {
  const explanation = explain({ forbid: ['lost update', 'G1a'], name: 'settle', attempts: 5, lockTimeoutMs: 500 });
  expect(String(explanation)).toBe(
    [
      '"settle" runs at repeatable read on PostgreSQL, read and write.',
      'Why: it is the weakest level that forbids what must not happen. ' +
        "A record's save() loses no update at any level; updateAll and SQL would.",
      '  lost update (P4: T1 overwrites a row with what it made of a state from before T2 wrote it), let through by read committed',
      '  G1a (G1a: T1 reads what T2 wrote, and T2 is rolled back), let through by no level',
      'Still possible: write skew.',
      'Source: Hermitage (github.com/ept/hermitage), postgres.md; PostgreSQL manual, section 13.2.2.',
      'Inside another transaction: joins it, if it is at repeatable read or stronger.',
      'Retries: at most 5 attempts, none begun after 30000 ms.',
      'Timeouts: a statement 60000 ms, between statements 60000 ms, a wait for a lock 500 ms.',
      'Round trips: none for BEGIN, which leaves with the first statement; one for COMMIT; none at all without a statement.',
      'Under contention: who writes a row that another has written since this transaction began to read is refused ' +
        '(40001), and the body runs again, after those that queue for the row.',
      'Advice: where the decision fits into one statement, as in where(…).decrement(…), a conditional update at read ' +
        'committed does 2 to 6 times as many a second on a hot row as locking it first.',
    ].join('\n'),
  );
  expect(explanation).toMatchObject({
    name: 'settle',
    engine: 'PostgreSQL',
    isolation: 'repeatable read',
    chosenBy: 'forbid',
    forbids: [
      { anomaly: 'lost update', phenomena: ['P4'], letThroughBy: ['read committed'] },
      { anomaly: 'G1a', phenomena: ['G1a'], letThroughBy: [] },
    ],
    letsThrough: ['write skew'],
    readOnly: false,
    deferrable: false,
    nested: 'joins',
    attempts: 5,
    retryBudgetMs: 30_000,
    timeouts: { statementMs: 60_000, idleMs: 60_000, lockMs: 500 },
    roundTrips: { begin: 0, commit: 1 },
  });
  expect(Object.isFrozen(explanation)).toBe(true);
});

test('by nothing: the isolation of the connection that it would run on', async () => {
  const plain = transactional(nothing);
  const weak = await open({ isolation: 'read committed', statementTimeoutMs: 0, idleInTransactionTimeoutMs: 7_000 });
  expect(weak.use(() => plain.explain())).toMatchObject({ isolation: 'read committed', chosenBy: 'connection' });
  expect(weak.use(() => String(plain.explain())).split('\n')).toEqual([
    '"nothing" runs at read committed on PostgreSQL, read and write.',
    'Why: nothing is declared, so it is the isolation of the connection.',
    'Still possible: non-repeatable read, lost update, read skew, phantom, write skew.',
    'Source: Hermitage (github.com/ept/hermitage), postgres.md; PostgreSQL manual, section 13.2.1.',
    'Inside another transaction: joins it, at its isolation.',
    'Retries: at most 30 attempts, none begun after 30000 ms.',
    'Timeouts: a statement no bound, between statements 7000 ms, a wait for a lock no bound of its own.',
    expect.stringMatching(/^Round trips: /),
    'Under contention: who writes a row that another is writing waits, and goes on from what that one left; only a deadlock runs the body again.',
    expect.stringMatching(/^Advice: /),
  ]);
  expect(db().use(() => plain.explain())).toMatchObject({ isolation: 'serializable', chosenBy: 'connection' });
});

test.each<[OperationOptions, string[]]>([
  [
    { isolation: 'serializable', savepoint: true },
    [
      'Why: the level is declared.',
      'Still possible: nothing.',
      'Inside another transaction: stays behind a savepoint of it, if it is at serializable or stronger.',
    ],
  ],
  [
    { readOnly: true, deferrable: true },
    [
      '"nothing" runs at serializable on PostgreSQL, read only, deferrable.',
      'Under contention: it waits once for a moment that nobody can spoil, and is never refused; all statements see that moment.',
    ],
  ],
  [
    { readOnly: true, isolation: 'repeatable read', retryBudgetMs: 10, statementTimeoutMs: 20, idleTimeoutMs: 30 },
    [
      'Retries: at most 30 attempts, none begun after 10 ms.',
      'Timeouts: a statement 20 ms, between statements 30 ms, a wait for a lock no bound of its own.',
      'Under contention: it waits for nobody and is never refused; all statements see one moment.',
    ],
  ],
])('%j is said', (options, expected) => {
  expect(lines(options)).toEqual(expect.arrayContaining(expected));
  expect(lines(options).some((line) => line.startsWith('Advice'))).toBe(options.readOnly !== true);
});

test('methods are explained by themselves, or by owner and name', () => {
  class Shop {
    @Transactional({ forbid: ['phantom'] })
    async sell(): Promise<void> {}
    @Transactional({ isolation: 'read committed' })
    static async open(): Promise<void> {}
    async look(): Promise<void> {}
  }
  db().use(() => {
    // eslint-disable-next-line @typescript-eslint/unbound-method
    expect(explainOperation(Shop.prototype.sell)).toMatchObject({ name: 'Shop.sell', isolation: 'repeatable read' });
    expect(explainOperation(new Shop(), 'sell')).toMatchObject({ name: 'Shop.sell', chosenBy: 'forbid' });
    expect(explainOperation(Shop, 'open')).toMatchObject({ name: 'Shop.open', isolation: 'read committed' });
    expect(() => explainOperation(Shop.prototype, 'look')).toThrow('look was never declared an operation');
  });
});

test('the round trips that it names are those on the wire', async () => {
  const counter = await countRoundTrips(database().url);
  const counted = await open({ url: counter.url, poolSize: 1 });
  const one = () => sql`select 1`.execute(counted.kysely());
  await counted.transaction(one);
  const operation = transactional(async (statements: number) => {
    for (let sent = 0; sent < statements; sent++) await one();
  });
  const { begin, commit } = counted.use(() => operation.explain()).roundTrips;
  try {
    for (const statements of [1, 3]) {
      const trips = await counter.count(() => counted.use(() => operation(statements)));
      expect(trips).toBe(begin + statements + commit);
    }
    expect(await counter.count(() => counted.use(() => operation(0)))).toBe(0);
  } finally {
    await counter.close();
  }
});

test('on an engine that nobody knows, what is forbidden takes serializable', () => {
  const terms = new Terms(undefined, { forbid: ['dirty read'] });
  expect(terms.optionsOn('unknown')).toEqual({ isolation: 'serializable' });
  expect(terms.optionsOn('CockroachDB')).toEqual({ isolation: 'read committed' });
});
