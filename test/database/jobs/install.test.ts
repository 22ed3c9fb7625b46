import { enqueue, installJobs, job } from 'bellwether';
import { createTestDatabase } from 'bellwether/testing';
import { errorOf, setUp } from '../transaction/support';

const { database, db, open } = setUp('');
const greet = job('greet', () => Promise.resolve());

test('not installed: an error that says what to run; then ten install at once', async () => {
  const missing = { code: 'E_JOBS_NOT_INSTALLED', recovery: 'fix-the-setup' };
  expect(await errorOf(enqueue(greet))).toMatchObject(missing);
  expect(await errorOf(db().transaction(() => enqueue(greet)))).toMatchObject(missing);
  const starters = await Promise.all(Array.from({ length: 10 }, () => open({ poolSize: 2 })));
  await Promise.all(starters.map((starter) => installJobs(starter)));
  expect((await enqueue(greet)).isNew).toBe(true);
});

test('again: nothing is changed', async () => {
  await installJobs(db());
  const ROWS = `select max(p.xmin::text::bigint) as last from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname in ('graphile_worker', 'bellwether_jobs')`;
  const version = async () => (await database().pool.query<{ last: string }>(ROWS)).rows;
  const before = await version();
  await installJobs(db());
  expect(await version()).toEqual(before);
});

test('a user who may not create schemas hears so', async () => {
  const other = await createTestDatabase();
  const role = `nobody_${process.pid}`;
  await other.pool.query(`create role ${role} login password 'secret'`);
  const url = new URL(other.url);
  url.username = role;
  url.password = 'secret';
  const poor = await open({ url: url.href });
  const error = await errorOf(installJobs(poor));
  await poor.close();
  await other.pool.query(`drop role ${role}`);
  await other.drop();
  expect(error).toMatchObject({ code: 'E_JOBS_INSTALL', recovery: 'fix-the-setup' });
});
