import { BellwetherError, Column, connect, Id, Model, Table } from 'bellwether';
import { Replication } from '../../support/replication';

@Table('notes')
class Note extends Model {
  @Id('integer') declare id: number;
}

/** Says which server answered. */
@Table('whereabouts')
class Whereabouts extends Model {
  @Id('integer') declare readonly id: number;
  @Column('integer') declare port: number;
}

let servers: Replication;
beforeAll(async () => {
  servers = await Replication.start(
    1,
    `create table notes (id int primary key);
     create view whereabouts as select 1 as id, inet_server_port() as port;
     alter database postgres set synchronous_commit = on;`,
  );
});
afterAll(() => servers.stop());

test.each([
  ['the primary', 'fast'],
  ['the primary', 'immediate'],
  ['the replica', 'fast'],
  ['the replica', 'immediate'],
] as const)('%s is restarted (%s) under a session: it goes on, and reads what it wrote', async (which, mode) => {
  const { primary, replicas } = servers;
  const [replica] = replicas as [(typeof replicas)[0]];
  const db = await connect({ url: primary.url, replicas: [replica.url], poolSize: 4, replicaRetryMs: 1 });
  await primary.query('truncate notes');
  const missed: number[] = [];
  const foreign: unknown[] = [];
  let written = 0;
  let isOver = false;
  const caller = (first: number) =>
    db.session({ timeoutMs: 20 }, async () => {
      for (let id = first; !isOver; id += 4) {
        try {
          await Note.create({ id });
          written += 1;
          if (!(await Note.where({ id }).exists())) missed.push(id);
        } catch (error) {
          if (!(error instanceof BellwetherError)) foreign.push(error);
        }
      }
    });
  const untilMore = async (count: number) => {
    const goal = written + count;
    while (written < goal) await new Promise((resolve) => setImmediate(resolve));
  };
  const callers = Promise.all([1, 2, 3, 4].map(caller));
  await untilMore(50);
  await (which === 'the primary' ? primary : replica).restart(mode);
  await untilMore(50);
  isOver = true;
  await callers;
  expect([missed, foreign]).toEqual([[], []]);
  const port = Number(new URL(replica.url).port);
  const asked = () => db.session({ guarantees: [] }, async () => (await Whereabouts.query().pluck('port'))[0]);
  while ((await asked()) !== port);
  await db.close();
});
