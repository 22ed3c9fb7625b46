import { migration, sql } from 'bellwether';
import type { MigrationDatabase } from 'bellwether';

// Constraints have the names that PostgreSQL would choose, so that the models find their rules by them.
export default migration({
  async up(db) {
    await createAccounts(db);
    await createLedger(db);
    await createShop(db);
  },

  async down(db) {
    for (const table of ['purchases', 'products', 'entries', 'movements', 'accounts', 'customers']) {
      await db.schema.dropTable(table).execute();
    }
    await sql`drop function keep_price()`.execute(db);
  },
});

const table = (db: MigrationDatabase, name: string) =>
  db.schema
    .createTable(name)
    .addColumn('id', 'bigint', (id) => id.primaryKey().generatedAlwaysAsIdentity())
    .addColumn('created_at', 'timestamptz', (at) => at.notNull().defaultTo(sql`now()`));

async function createAccounts(db: MigrationDatabase): Promise<void> {
  await table(db, 'customers')
    .addColumn('name', 'text', (name) => name.notNull())
    .addColumn('cover', 'text', (cover) => cover.notNull().check(sql`cover in ('own', 'joint')`))
    .addColumn('is_drill', 'boolean', (is) => is.notNull())
    .execute();

  await table(db, 'accounts')
    .addColumn('customer_id', 'bigint', (key) => key.references('customers.id'))
    .addColumn('kind', 'text', (kind) => kind.notNull())
    .addColumn('currency', 'text', (currency) => currency.notNull())
    .addColumn('cover', 'text', (cover) => cover.notNull().check(sql`cover in ('own', 'joint')`))
    .addColumn('balance', 'bigint', (balance) => balance.notNull())
    .addColumn('closed_at', 'timestamptz')
    .addColumn('last_entry_id', 'bigint')
    .addCheckConstraint('accounts_kind_check', sql`(customer_id is null) = (kind in ('cash', 'sales'))`)
    .addCheckConstraint('accounts_balance_check', sql`balance >= 0 or cover = 'joint'`)
    .addCheckConstraint('accounts_own_balance_check', sql`customer_id is not null or balance = 0`)
    .execute();
  await sql`create unique index on accounts (customer_id, kind) where closed_at is null`.execute(db);
  await sql`create unique index on accounts (currency, kind) where customer_id is null`.execute(db);
  // The bank's own accounts: two for each currency.
  await sql`
    insert into accounts (kind, currency, cover, balance)
    select kind, currency, 'own', 0
    from unnest(array['cash', 'sales']) as kind, unnest(array['EUR', 'USD', 'GBP', 'JPY']) as currency
  `.execute(db);
}

async function createLedger(db: MigrationDatabase): Promise<void> {
  await table(db, 'movements')
    .addColumn('kind', 'text', (kind) => kind.notNull())
    .addColumn('memo', 'text')
    .execute();

  await db.schema
    .createTable('entries')
    .addColumn('id', 'bigint', (id) => id.primaryKey().generatedAlwaysAsIdentity())
    .addColumn('movement_id', 'bigint', (key) => key.notNull().references('movements.id'))
    .addColumn('account_id', 'bigint', (key) => key.notNull().references('accounts.id'))
    .addColumn('amount', 'bigint', (amount) => amount.notNull().check(sql`amount <> 0`))
    .execute();
  await sql`create index on entries (movement_id)`.execute(db);
  await sql`create index on entries (account_id, id)`.execute(db);
}

async function createShop(db: MigrationDatabase): Promise<void> {
  await table(db, 'products')
    .addColumn('name', 'text', (name) => name.notNull())
    .addColumn('price', 'bigint', (price) => price.notNull().check(sql`price > 0`))
    .addColumn('currency', 'text', (currency) => currency.notNull())
    .addColumn('stocked', 'integer', (stocked) => stocked.notNull())
    .addColumn('stock', 'integer', (stock) => stock.notNull().check(sql`stock >= 0`))
    .execute();
  await keepPrices(db);

  await table(db, 'purchases')
    .addColumn('product_id', 'bigint', (key) => key.notNull().references('products.id'))
    .addColumn('movement_id', 'bigint', (key) => key.notNull().references('movements.id'))
    .addColumn('quantity', 'integer', (quantity) => quantity.notNull().check(sql`quantity > 0`))
    .execute();
  await sql`create index on purchases (product_id)`.execute(db);
  await sql`create unique index on purchases (movement_id)`.execute(db);
}

/** A price never changes, whoever writes. */
async function keepPrices(db: MigrationDatabase): Promise<void> {
  await sql`
    create function keep_price() returns trigger language plpgsql as $$
    begin
      raise exception 'the price of a product cannot be changed'
        using errcode = 'check_violation', table = tg_table_name, constraint = 'products_price_stays';
    end $$
  `.execute(db);
  await sql`
    create trigger products_price_stays before update on products
    for each row when (old.price is distinct from new.price) execute function keep_price()
  `.execute(db);
}
