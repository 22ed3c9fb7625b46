import { sql } from 'bellwether';
import { errorOf, FAILURES, planFailures, reasonOf, setUp } from './support';

const { database, db } = setUp(`create table things (id int primary key); ${FAILURES}`);
beforeEach(() => database().pool.query('truncate things, planned'));

const insert = (id: number) => sql`insert into things values (${id})`.execute(db().kysely());
const broken = () => sql`select 1 / 0`.execute(db().kysely());
const count = async () => (await database().pool.query('select from things')).rowCount;

test('effects wait for COMMIT, run in order, outside of any transaction', async () => {
  const ran: unknown[] = [];
  await db().transaction(async (tx) => {
    tx.afterCommit(async () => void ran.push(['first', await count()]));
    tx.afterRollback(() => void ran.push('never'));
    await insert(1);
    tx.afterCommit(() => insert(2).then(() => void ran.push('second')));
    tx.afterCommit(async () => void ran.push(['third', await count()]));
    expect(ran).toEqual([]);
  });
  expect(ran).toEqual([['first', 1], 'second', ['third', 2]]);
});

test('those of nested transactions run with the outermost only, never for undone parts', async () => {
  const ran: string[] = [];
  const note = (text: string) => () => void ran.push(text);
  await db().transaction(async (outer) => {
    outer.afterCommit(note('outer'));
    await db().transaction((joined) => Promise.resolve(joined.afterCommit(note('joined'))));
    await db().transaction({ savepoint: true }, async (kept) => {
      kept.afterCommit(note('kept'));
      kept.afterRollback(note('kept: never'));
      await reasonOf(
        db().transaction({ savepoint: true }, async (undone) => {
          undone.afterCommit(note('undone: never'));
          undone.afterRollback(note('undone'));
          await insert(1);
          await broken();
        }),
      );
    });
    expect(ran).toEqual([]);
  });
  expect(ran).toEqual(['outer', 'joined', 'kept', 'undone']);
});

test('rolled back as a whole: only the effects after a rollback run, those of nested ones too', async () => {
  const ran: string[] = [];
  const note = (text: string) => () => void ran.push(text);
  const attempt = db().transaction(async (outer) => {
    outer.afterCommit(note('never'));
    outer.afterRollback(note('outer'));
    await db().transaction({ savepoint: true }, (inner) => {
      inner.afterCommit(note('never'));
      inner.afterRollback(note('inner'));
      return Promise.resolve();
    });
    throw new Error('all of it');
  });
  await reasonOf(attempt);
  expect(ran).toEqual(['outer', 'inner']);
});

test('once, although the body ran three times', async () => {
  await planFailures(database(), '40001', 2);
  const ran: string[] = [];
  await db().transaction(async (tx) => {
    tx.afterCommit(() => void ran.push(`committed by attempt ${tx.attempt}`));
    tx.afterRollback(() => void ran.push('never: it was run again'));
    await sql`select fail_as_planned()`.execute(db().kysely());
  });
  expect(ran).toEqual(['committed by attempt 3']);
});

test('after the last of too many attempts, the effects after a rollback run once', async () => {
  await planFailures(database(), '40001', 100);
  const ran: number[] = [];
  const attempt = db().transaction({ attempts: 2 }, async (tx) => {
    tx.afterRollback(() => void ran.push(tx.attempt));
    await sql`select fail_as_planned()`.execute(db().kysely());
  });
  expect((await errorOf(attempt)).code).toBe('E_RETRIES_EXHAUSTED');
  expect(ran).toEqual([2]);
});

test('one that fails neither stops the next nor looks like a failed transaction', async () => {
  const ran: string[] = [];
  const first = new Error('no mail');
  const heard: unknown[] = [];
  const off = db().on('effect:failed', ({ after, error }) => heard.push([after, error]));
  const attempt = db().transaction(async (tx) => {
    await insert(1);
    tx.afterCommit(() => Promise.reject(first));
    tx.afterCommit(() => void ran.push('next'));
    tx.afterCommit(() => {
      throw new TypeError('no luck either');
    });
    tx.afterCommit(() => void ran.push('last'));
  });
  const error = await errorOf(attempt);
  expect(error).toMatchObject({ code: 'E_AFTER_COMMIT', recovery: 'repair-the-effects', cause: first });
  off();
  expect(error.details.failures).toEqual([first, expect.any(TypeError)]);
  expect(heard).toEqual([
    ['commit', first],
    ['commit', expect.any(TypeError)],
  ]);
  expect(ran).toEqual(['next', 'last']);
  expect(await count()).toBe(1);
});

test('one that fails after a rollback does not replace the reason of the rollback', async () => {
  const heard: unknown[] = [];
  const offs = [
    db().on('effect:failed', (event) => heard.push(event)),
    db().on('transaction:rollback-failed', (event) => heard.push(event)), // ROLLBACK itself was well
  ];
  const mine = new Error('mine');
  const ran: string[] = [];
  const noMail = new Error('no mail');
  const attempt = db().transaction((tx) => {
    tx.afterRollback(() => Promise.reject(noMail));
    tx.afterRollback(() => void ran.push('next'));
    return Promise.reject(mine);
  });
  expect(await reasonOf(attempt)).toBe(mine);
  for (const off of offs) off();
  expect(ran).toEqual(['next']);
  expect(heard).toEqual([{ transactionId: expect.any(Number), after: 'rollback', error: noMail }]);
});

test('a transaction without any statement takes no session and still runs its effects', async () => {
  const ran: string[] = [];
  await db().transaction((tx) => Promise.resolve(tx.afterCommit(() => void ran.push('ran'))));
  expect(ran).toEqual(['ran']);
});
