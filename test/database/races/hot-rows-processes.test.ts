import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setUp, until } from '../transaction/support';
import { CALLERS, ROUNDS } from './hot-rows-process';
import type { Report } from './hot-rows-process';
import { messageOf, startProcess } from './typescript-process';

const { database } = setUp(`
  create table accounts (id int primary key, balance int not null);
  create table moves (payer int not null, payee int not null);
`);
beforeEach(() =>
  database().pool.query(`truncate accounts, moves;
    insert into accounts select id, 10000 from generate_series(1, 2000) id; analyze accounts`),
);

const start = (...args: string[]) => startProcess(join(__dirname, 'hot-rows-process.ts'), [database().url, ...args]);
const children: ChildProcess[] = [];
beforeAll(async () => {
  children.push(...['a', 'b', 'c'].map((name) => start(name)));
  await Promise.all(children.map(messageOf));
});
afterAll(async () => {
  const ended = children.map((child) => new Promise((resolve) => child.once('exit', resolve)));
  for (const child of children) child.disconnect();
  await Promise.all(ended);
});
const crowd = (child: ChildProcess, isolation: string) => {
  const report = messageOf(child) as Promise<Report>;
  child.send(isolation);
  return report;
};

/** Balances that are not what the moves that were committed say. */
const wrong = async () =>
  (
    await database().pool.query(`select id from accounts where balance <> 10000
      - (select count(*) from moves where payer = id) + (select count(*) from moves where payee = id)`)
  ).rows as unknown[];
const count = async (query: string) => (await database().pool.query(query)).rowCount;

describe.each(['serializable', 'read committed'])(
  'hot rows, wanted by the callers of several processes at %s',
  (isolation) => {
    test('three processes: all succeed, few attempts for each commit', async () => {
      const all = await Promise.all(children.map((child) => crowd(child, isolation)));
      const commits = 3 * CALLERS * ROUNDS;
      const attempts = all.reduce((sum, report) => sum + report.attempts, 0);
      expect(all.flatMap(({ errors }) => errors)).toEqual([]);
      expect(all.reduce((sum, report) => sum + report.commits, 0)).toBe(commits);
      expect(await count('select from moves')).toBe(commits);
      expect(await wrong()).toEqual([]);
      expect(attempts).toBeLessThanOrEqual(1.3 * commits);
    });

    test('one of them is killed in the middle: the others go on, and nothing of it stays behind', async () => {
      const victim = start('victim', 'never');
      await messageOf(victim);
      victim.send(isolation);
      const others = children.slice(1).map((child) => crowd(child, isolation));
      const holds = `select pid from pg_locks join pg_stat_activity using (pid) where application_name = 'victim' and granted`;
      const lock =
        isolation === 'serializable'
          ? `locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`
          : `mode = 'RowExclusiveLock'`;
      await until(database(), `${holds} and ${lock} and (select count(*) from moves) > 50 limit 1`);
      const gone = new Promise((resolve) => victim.once('exit', (_code, name) => resolve(name)));
      victim.kill('SIGKILL');
      expect(await gone).toBe('SIGKILL');
      const all = await Promise.all(others);
      expect(all.flatMap(({ errors }) => errors)).toEqual([]);
      expect(all.map(({ commits }) => commits)).toEqual([CALLERS * ROUNDS, CALLERS * ROUNDS]);
      await until(
        database(),
        `select true where not exists (select from pg_stat_activity where application_name = 'victim')`,
      );
      expect(await wrong()).toEqual([]);
      expect(
        await count(
          `select from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
        ),
      ).toBe(0);
    });
  },
);
