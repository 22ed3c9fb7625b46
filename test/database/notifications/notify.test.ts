import { join } from 'node:path';
import {
  channel,
  Column,
  connect,
  currentTransaction,
  Id,
  InvalidChannelError,
  Model,
  notify,
  Table,
} from 'bellwether';
import type { Listening } from 'bellwether';
import { messageOf, startProcess } from '../races/typescript-process';
import { startStandIn } from '../transaction/pooler';
import { countingTrips, errorOf, setUp, signal, until } from '../transaction/support';

@Table('things')
class Thing extends Model {
  @Id('integer') declare readonly id: number;
  @Column('integer') declare size: number;
}

const { database, db, open } = setUp('create table things (id int primary key, size int not null)');

/** What a channel hears, and a way to wait for it to hear so many. */
async function hearing(name: string): Promise<{ heard: unknown[]; untilHeard: (count: number) => Promise<unknown[]> }> {
  const heard: unknown[] = [];
  let look = () => {};
  listening.push(
    await db().listen(name, (payload) => {
      heard.push(payload);
      look();
    }),
  );
  const untilHeard = async (count: number) => {
    while (heard.length < count) {
      const { promise, give } = signal();
      look = give;
      await promise;
    }
    return heard;
  };
  return { heard, untilHeard };
}

const listening: Listening[] = [];
afterEach(async () => {
  await Promise.all(listening.splice(0).map((one) => one.stop()));
});

const listeners = async () =>
  Number(
    (
      await database().pool.query<{ count: string }>(
        `select count(*) from pg_stat_activity where datname = current_database() and application_name = 'bellwether listener'`,
      )
    ).rows[0]!.count,
  );

describe('what is notified', () => {
  test.each([
    ['an object', { id: '17', tags: ['a', null], deep: { yes: true } }],
    ['a text', 'hello, "world"'],
    ['a text that looks like a number', '17'],
    ['an empty text', ''],
    ['a number', 17],
    ['null', null],
    ['nothing', undefined],
    ['7,999 bytes', 'é'.repeat(3_998) + 'e'],
  ])('%s comes out as it was given', async (_name, payload) => {
    const { untilHeard } = await hearing('news');
    await notify('news', payload);
    expect(await untilHeard(1)).toEqual([payload]);
  });

  test('a trigger’s text that is no JSON comes out as text', async () => {
    const { untilHeard } = await hearing('Odd "name", with. all kinds');
    await database().pool.query('select pg_notify($1, $2)', ['Odd "name", with. all kinds', '{not json']);
    expect(await untilHeard(1)).toEqual(['{not json']);
  });

  test.each(['read committed', 'repeatable read', 'serializable'] as const)(
    '%s: is heard if and only if it is committed, in the order of the commits',
    async (isolation) => {
      const { heard, untilHeard } = await hearing('news');
      const undone = new Error('undone');
      await expect(
        db().transaction({ isolation }, async () => {
          await notify('news', 'rolled back');
          throw undone;
        }),
      ).rejects.toBe(undone);
      await db().transaction({ isolation }, async (tx) => {
        await notify('news', 'first');
        const part = db().transaction({ savepoint: true }, async () => {
          await notify('news', 'undone with its savepoint');
          throw undone;
        });
        await expect(part).rejects.toBe(undone);
        await notify('news', 'second');
        await notify('news', 'second');
        expect(heard).toEqual([]);
        tx.afterCommit(() => notify('news', 'after the commit'));
      });
      await notify('news', 'last');
      expect(await untilHeard(4)).toEqual(['first', 'second', 'after the commit', 'last']);
    },
  );

  test('of an attempt that is run again nothing is heard', async () => {
    await database().pool.query('truncate things; insert into things values (1, 0)');
    const { untilHeard } = await hearing('news');
    await db().transaction(async (tx) => {
      const thing = await Thing.find(1);
      await notify('news', tx.attempt);
      if (tx.attempt === 1) await database().pool.query('update things set size = 5');
      await thing.update({ size: thing.size + 1 });
    });
    expect(await untilHeard(1)).toEqual([2]);
  });

  test('costs one round trip, and none of its own beside a write', async () => {
    await countingTrips(database(), async (tripsOf, counted) => {
      await notify('news');
      expect(await tripsOf(() => notify('news', { id: '1' }))).toBe(1);
      const together = () =>
        counted.transaction(async () => void (await Promise.all([notify('news'), notify('other', 2)])));
      expect(await tripsOf(together)).toBe(2);
    });
  });
});

describe('what cannot be notified', () => {
  test.each([
    ['8,000 bytes', 'x'.repeat(7_998), /has 8000 bytes/],
    ['a bigint', { id: 1n }, /must be a JSON value/],
    ['a number that is not finite', [NaN], /must be a JSON value: it holds NaN/],
  ])('%s', async (_name, payload, words) => {
    const error = await errorOf(notify('news', payload));
    expect(error).toMatchObject({ code: 'E_INVALID_NOTIFICATION', details: { channel: 'news' } });
    expect(error.message).toMatch(words);
  });

  test.each([
    ['an empty name', ''],
    ['a name of 64 bytes', 'é'.repeat(32)],
    ['a null character', 'a\0'],
  ])('%s', async (_name, name) => {
    expect((await errorOf(notify(name))).code).toBe('E_INVALID_CHANNEL');
    expect((await errorOf(db().listen(name, () => undefined))).code).toBe('E_INVALID_CHANNEL');
    expect(() => channel<string>(name)).toThrow(InvalidChannelError);
  });

  test('a name of 63 bytes is heard whole', async () => {
    const name = `${'é'.repeat(31)}e`;
    const { untilHeard } = await hearing(name);
    await notify(name, 1);
    expect(await untilHeard(1)).toEqual([1]);
  });
});

describe('who listens', () => {
  test('shares one session with all channels, which ends with the last of them', async () => {
    const counts: string[] = [];
    const [one, same, other] = await Promise.all([
      db().listen('one', () => void counts.push('one')),
      db().listen('one', () => void counts.push('same')),
      db().listen('other', () => void counts.push('other')),
    ]);
    expect(await listeners()).toBe(1);
    await one.stop();
    await one.stop();
    await notify('one');
    const { untilHeard } = await hearing('end');
    await notify('end');
    await untilHeard(1);
    expect(counts).toEqual(['same']);
    await Promise.all([same.stop(), other.stop(), ...listening.splice(0).map((each) => each.stop())]);
    await until(
      database(),
      `select true where not exists (select from pg_stat_activity
        where datname = current_database() and application_name = 'bellwether listener')`,
    );
  });

  test('hears nothing from the call of stop() on, and others go on', async () => {
    const kept: unknown[] = [];
    const { untilHeard } = await hearing('end');
    const one = await db().listen('one', (payload) => kept.push(payload));
    await Promise.all([one.stop(), notify('one')]);
    const again = await db().listen('one', (payload) => kept.push(payload));
    await notify('one', 2);
    await notify('end');
    await untilHeard(1);
    expect(kept).toEqual([2]);
    await again.stop();
  });

  test('stops and listens in turns, many at once: whoever listens at the end hears', async () => {
    const { untilHeard } = await hearing('end');
    const turns = Array.from({ length: 20 }, async () => {
      const first = await db().listen('one', () => undefined);
      await first.stop();
      const heard: unknown[] = [];
      const second = await db().listen('one', (payload) => heard.push(payload));
      return { heard, second };
    });
    const all = await Promise.all(turns);
    await notify('one', 'now');
    await notify('end');
    await untilHeard(1);
    expect(all.map(({ heard }) => heard)).toEqual(all.map(() => ['now']));
    await Promise.all(all.map(({ second }) => second.stop()));
  });

  test('is called outside of the transaction that it listened in, with the models of its database', async () => {
    const elsewhere = await open({ applicationName: 'elsewhere' });
    await database().pool.query('truncate things; insert into things values (1, 5)');
    const { promise, give } = signal();
    const found: unknown[] = [];
    const one = await elsewhere.transaction(() =>
      elsewhere.listen('one', async () => {
        found.push(currentTransaction(), (await Thing.find(1)).size);
        give();
      }),
    );
    await notify('one');
    await promise;
    expect(found).toEqual([undefined, 5]);
    await one.stop();
  });

  test.each([
    [
      'throws',
      () => {
        throw new Error('oops');
      },
    ],
    ['rejects', () => Promise.reject(new Error('oops'))],
  ])('and %s becomes a warning; others hear all the same', async (_name, listener: () => unknown) => {
    const { promise: warned, give } = signal();
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(give);
    const bad = await db().listen('news', listener);
    const { untilHeard } = await hearing('news');
    await notify('news', 1);
    expect(await untilHeard(1)).toEqual([1]);
    await warned;
    expect(warn).toHaveBeenCalledWith(expect.stringMatching(/listener of notifications failed: Error: oops/));
    warn.mockRestore();
    await bad.stop();
  });

  test('does not keep its process running', async () => {
    const child = startProcess(join(__dirname, 'listen-process.ts'), [database().url]);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    expect(await messageOf(child)).toBe('listening');
    expect(await ended).toBe(0);
  });

  test('is closed with its database', async () => {
    const own = await connect({ url: database().url, applicationName: 'own' });
    const heard: unknown[] = [];
    const { untilHeard } = await hearing('end');
    const one = await own.listen('news', (payload) => heard.push(payload));
    await own.close();
    await notify('news', 1);
    await notify('end');
    await untilHeard(1);
    expect(heard).toEqual([]);
    await one.stop();
    expect((await errorOf(own.listen('news', () => undefined))).code).toBe('E_DATABASE_CLOSED');
  });

  test('where nothing answers hears so at once, and can try again', async () => {
    const own = await open({ listen: { url: 'postgres://nobody@127.0.0.1:1/none' } });
    expect((await errorOf(own.listen('news', () => undefined))).code).toBe('E_CONNECTION_FAILED');
    expect((await errorOf(own.listen('news', () => undefined))).code).toBe('E_CONNECTION_FAILED');
    expect((await errorOf(open({ listen: { heartbeatMs: 0 } }))).code).toBe('E_INVALID_OPTION');
  });

  test.each(['', 'options'])('behind a pooler (ignores "%s") hears why not, and what to do', async (ignores) => {
    const pooler = await startStandIn(database().url, { ignores });
    const own = await connect({ url: pooler.url });
    expect((await errorOf(own.listen('news', () => undefined))).code).toBe('E_LISTEN_UNAVAILABLE');
    await own.close();
    const direct = await connect({ url: pooler.url, listen: { url: database().url } });
    const { promise, give } = signal();
    await direct.listen('news', give);
    await direct.use(() => notify('news'));
    await promise;
    await direct.close();
    await pooler.close();
  });
});
