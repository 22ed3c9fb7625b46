import { Column, connect, Id, Model, Table } from 'bellwether';
import { Pool } from 'pg';
import type { PoolClient } from 'pg';

/** One way of taking 1 from an account that has it. */
export interface Way {
  /** How many times a withdrawal was tried, so far. */
  readonly attempts: number;
  withdraw(id: number): Promise<unknown>;
}

@Table('accounts')
class Account extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare balance: bigint;
}

const SELECT = 'select id, balance from accounts where id = $1';
const UPDATE = 'update accounts set balance = $2 where id = $1';

/** `begin`, read, check, write, `commit` over the driver alone. */
async function byHand(client: PoolClient, begin: string, select: string, id: number): Promise<void> {
  try {
    await client.query(begin);
    const { rows } = await client.query<{ balance: string }>({ name: select, text: select, values: [id] });
    const balance = BigInt(rows[0]!.balance);
    if (balance < 1n) throw new Error('Insufficient funds.');
    await client.query({ name: UPDATE, text: UPDATE, values: [id, balance - 1n] });
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

async function borrowed<T>(pool: Pool, body: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    return await body(client);
  } finally {
    client.release();
  }
}

function forUpdate(url: string, max: number): Promise<Way> {
  const pool = new Pool({ connectionString: url, max });
  const way = {
    attempts: 0,
    withdraw: (id: number) => {
      way.attempts += 1;
      return borrowed(pool, (client) => byHand(client, 'begin', `${SELECT} for update`, id));
    },
  };
  return Promise.resolve(way);
}

function naiveRetries(url: string, max: number): Promise<Way> {
  const pool = new Pool({ connectionString: url, max });
  const begin = 'begin isolation level serializable';
  const way = {
    attempts: 0,
    withdraw: async (id: number) => {
      for (;;) {
        way.attempts += 1;
        try {
          return await borrowed(pool, (client) => byHand(client, begin, SELECT, id));
        } catch (error) {
          if ((error as { code?: string }).code !== '40001') throw error;
        }
      }
    },
  };
  return Promise.resolve(way);
}

function conditional(url: string, max: number): Promise<Way> {
  const pool = new Pool({ connectionString: url, max });
  const text = 'update accounts set balance = balance - 1 where id = $1 and balance >= 1';
  const way = {
    attempts: 0,
    withdraw: (id: number) => {
      way.attempts += 1;
      return pool.query({ name: 'decrement', text, values: [id] });
    },
  };
  return Promise.resolve(way);
}

async function bellwether(url: string, poolSize: number, isDecrement: boolean): Promise<Way> {
  const db = await connect({ url, poolSize });
  const way = {
    attempts: 0,
    withdraw: (id: number): Promise<unknown> => {
      if (isDecrement) {
        way.attempts += 1;
        return Account.where({ id: BigInt(id) })
          .where('balance', '>=', 1n)
          .decrement({ balance: 1n });
      }
      return db.transaction(async () => {
        way.attempts += 1;
        const account = await Account.find(BigInt(id));
        if (account.balance < 1n) throw new Error('Insufficient funds.');
        account.balance -= 1n;
        await account.save();
      });
    },
  };
  if (isDecrement) db.on('transaction:retry', () => (way.attempts += 1));
  return way;
}

/** The first one is what the others are compared with. */
export const WAYS = {
  'pg: for update, update': forUpdate,
  'pg: serializable, retried at once': naiveRetries,
  'pg: one conditional update': conditional,
  'bellwether: find, check, change, save': (url: string, max: number) => bellwether(url, max, false),
  'bellwether: one conditional decrement': (url: string, max: number) => bellwether(url, max, true),
} as const satisfies Record<string, (url: string, poolSize: number) => Promise<Way>>;

export type WayName = keyof typeof WAYS;
