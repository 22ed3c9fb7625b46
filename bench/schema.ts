import type { Pool } from 'pg';

/** The tables that all implementations share. Each scenario has its own, so that none slows down another. */
export const TABLES = `
  create table products (id bigint generated always as identity primary key, sku text not null, name text not null,
    price bigint not null, stock integer not null, is_active boolean not null,
    created_at timestamptz not null, updated_at timestamptz not null);
  create table authors (id bigint generated always as identity primary key, name text not null, country text not null);
  create table books (id bigint generated always as identity primary key, author_id bigint not null references authors,
    title text not null, pages integer not null, published_at timestamptz not null);
  create index on books (author_id);
  create table entries (id bigint generated always as identity primary key, account_id bigint not null,
    amount bigint not null, memo text not null, created_at timestamptz not null);
  create table accounts (id bigint generated always as identity primary key, owner text not null,
    balance bigint not null, visits integer not null, updated_at timestamptz not null) with (fillfactor = 50);

  insert into products (sku, name, price, stock, is_active, created_at, updated_at)
    select 'SKU-' || i, 'Product number ' || i, i * 100, i % 50, i % 2 = 0,
      timestamptz '2026-01-01 00:00:00.123+00' + i * interval '1 minute',
      timestamptz '2026-02-01 00:00:00.456+00' + i * interval '1 minute'
    from generate_series(1, 1000) i;
  insert into authors (name, country) select 'Author ' || i, 'Country ' || i % 7 from generate_series(1, 50) i;
  insert into books (author_id, title, pages, published_at)
    select 1 + i % 50, 'Title ' || i, 100 + i, timestamptz '2020-01-01 00:00+00' + i * interval '1 day'
    from generate_series(0, 249) i;
  insert into accounts (owner, balance, visits, updated_at)
    select 'Owner ' || i, 1000000, 0, now() from generate_series(1, 1000) i;
  analyze;
`;

export const PRODUCTS = 1_000;
export const ACCOUNTS = 1_000;
const MONEY = 1_000_000_000;

/** What must be true of the tables after all batches, whoever ran them. @throws Error naming the first that is not */
export async function checkSums(pool: Pool, done: { readonly inserts: number; readonly saves: number }): Promise<void> {
  const { rows } = await pool.query<{ money: string; visits: string; entries: string }>(
    `select (select sum(balance) from accounts) as money, (select sum(visits) from accounts) as visits,
      (select count(*) from entries) as entries`,
  );
  const [{ money, visits, entries } = { money: '', visits: '', entries: '' }] = rows;
  expectEqual('the sum of all balances', Number(money), MONEY);
  expectEqual('the sum of all saved changes', Number(visits), done.saves);
  expectEqual('the number of inserted rows', Number(entries), done.inserts);
}

function expectEqual(what: string, actual: number, expected: number): void {
  if (actual !== expected) throw new Error(`After the run, ${what} is ${actual} instead of ${expected}.`);
}
