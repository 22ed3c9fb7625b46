import { migration, sql } from 'bellwether';
import type { MigrationDatabase } from 'bellwether';

// Constraints have the names that PostgreSQL would choose, so that the models find their rules by them.
export default migration({
  async up(db) {
    await createUsers(db);
    await createItems(db);
    await createSales(db);
    await createLetters(db);
  },

  async down(db) {
    await sql`alter table items drop constraint items_highest_bid_id_fkey`.execute(db);
    const tables = ['mails', 'watches', 'comments', 'rings', 'sales', 'bids', 'items', 'deposits', 'wallets', 'users'];
    for (const table of [...tables, 'categories', 'regions']) await db.schema.dropTable(table).execute();
  },
});

const table = (db: MigrationDatabase, name: string) =>
  db.schema.createTable(name).addColumn('id', 'bigint', (id) => id.primaryKey().generatedAlwaysAsIdentity());

const datedTable = (db: MigrationDatabase, name: string) =>
  table(db, name).addColumn('created_at', 'timestamptz', (at) => at.notNull().defaultTo(sql`now()`));

async function createUsers(db: MigrationDatabase): Promise<void> {
  for (const name of ['regions', 'categories']) {
    await table(db, name)
      .addColumn('name', 'text', (column) => column.notNull())
      .execute();
    await sql`create unique index on ${sql.table(name)} (lower(name))`.execute(db);
  }
  await datedTable(db, 'users')
    .addColumn('nickname', 'text', (column) => column.notNull())
    .addColumn('email', 'text', (column) => column.notNull())
    .addColumn('password_hash', 'text', (column) => column.notNull())
    .addColumn('region_id', 'bigint', (key) => key.notNull().references('regions.id'))
    .addColumn('is_drill', 'boolean', (is) => is.notNull().defaultTo(false))
    .addColumn('offered_count', 'integer', (count) =>
      count
        .notNull()
        .defaultTo(0)
        .check(sql`offered_count >= 0`),
    )
    .addColumn('rating_sum', 'integer', (sum) =>
      sum
        .notNull()
        .defaultTo(0)
        .check(sql`rating_sum >= 0`),
    )
    .addColumn('rating_count', 'integer', (count) =>
      count
        .notNull()
        .defaultTo(0)
        .check(sql`rating_count >= 0`),
    )
    .execute();
  await sql`create unique index on users (lower(nickname))`.execute(db);
  await sql`create unique index on users (lower(email))`.execute(db);

  await table(db, 'wallets')
    .addColumn('user_id', 'bigint', (key) => key.notNull().unique().references('users.id'))
    .addColumn('balance', 'bigint', (balance) =>
      balance
        .notNull()
        .defaultTo(0)
        .check(sql`balance >= 0`),
    )
    .addColumn('reserved', 'bigint', (reserved) => reserved.notNull().defaultTo(0))
    .addColumn('available', 'bigint', (rest) =>
      rest
        .generatedAlwaysAs(sql`balance - reserved`)
        .stored()
        .notNull(),
    )
    .addCheckConstraint('wallets_reserved_check', sql`reserved between 0 and balance`)
    .execute();
  await datedTable(db, 'deposits')
    .addColumn('user_id', 'bigint', (key) => key.notNull().references('users.id'))
    .addColumn('amount', 'bigint', (amount) => amount.notNull().check(sql`amount > 0`))
    .execute();
  await sql`create index on deposits (user_id)`.execute(db);
}

async function createItems(db: MigrationDatabase): Promise<void> {
  await datedTable(db, 'items')
    .addColumn('seller_id', 'bigint', (key) => key.notNull().references('users.id'))
    .addColumn('category_id', 'bigint', (key) => key.notNull().references('categories.id'))
    .addColumn('region_id', 'bigint', (key) => key.notNull().references('regions.id'))
    .addColumn('name', 'text', (name) => name.notNull())
    .addColumn('description', 'text', (text) => text.notNull())
    .addColumn('start_price', 'bigint', (price) => price.notNull().check(sql`start_price > 0`))
    .addColumn('reserve_price', 'bigint', (price) => price.notNull())
    .addColumn('bid_step', 'bigint', (step) => step.notNull().check(sql`bid_step > 0`))
    .addColumn('buy_now_price', 'bigint')
    .addColumn('quantity', 'integer', (quantity) => quantity.notNull().check(sql`quantity > 0`))
    .addColumn('stock', 'integer', (stock) => stock.notNull().check(sql`stock >= 0`))
    .addColumn('ends_at', 'timestamptz', (at) => at.notNull())
    .addColumn('status', 'text', (status) => status.notNull().check(sql`status in ('open', 'closed', 'cancelled')`))
    .addColumn('closed_at', 'timestamptz')
    .addColumn('highest_bid_id', 'bigint')
    .addColumn('highest_amount', 'bigint')
    .addColumn('leader_id', 'bigint', (key) => key.references('users.id'))
    .addColumn('bid_count', 'integer', (count) =>
      count
        .notNull()
        .defaultTo(0)
        .check(sql`bid_count >= 0`),
    )
    .addCheckConstraint('items_reserve_price_check', sql`reserve_price >= start_price`)
    .addCheckConstraint('items_buy_now_price_check', sql`buy_now_price >= start_price`)
    .execute();

  await table(db, 'bids')
    .addColumn('item_id', 'bigint', (key) => key.notNull().references('items.id'))
    .addColumn('bidder_id', 'bigint', (key) => key.notNull().references('users.id'))
    .addColumn('amount', 'bigint', (amount) => amount.notNull().check(sql`amount > 0`))
    .addColumn('status', 'text', (status) =>
      status.notNull().check(sql`status in ('placed', 'cancelled', 'lapsed', 'won')`),
    )
    // The time of the statement, not of the transaction's beginning: a bid may have waited for its turn.
    .addColumn('placed_at', 'timestamptz', (at) => at.notNull().defaultTo(sql`clock_timestamp()`))
    .execute();
  await sql`alter table items add constraint items_highest_bid_id_fkey foreign key (highest_bid_id) references bids`.execute(
    db,
  );
  await createIndexesOfItems(db);
}

async function createIndexesOfItems(db: MigrationDatabase): Promise<void> {
  await sql`create index on bids (item_id, amount desc) where status in ('placed', 'won')`.execute(db);
  await sql`create index on bids (item_id, id)`.execute(db);
  await sql`create index on bids (bidder_id, id)`.execute(db);
  // Browsing: what ends soonest, of all, of a category, of a region, of both.
  await sql`create index on items (ends_at, id) where status = 'open'`.execute(db);
  await sql`create index on items (category_id, ends_at, id) where status = 'open'`.execute(db);
  await sql`create index on items (region_id, category_id, ends_at, id) where status = 'open'`.execute(db);
  await sql`create index on items using gin (to_tsvector('simple', name || ' ' || description)) where status = 'open'`.execute(
    db,
  );
  await sql`create index on items (seller_id, id)`.execute(db);
  await sql`create index on items (leader_id) where status = 'open'`.execute(db);
}

async function createSales(db: MigrationDatabase): Promise<void> {
  await datedTable(db, 'sales')
    .addColumn('item_id', 'bigint', (key) => key.notNull().references('items.id'))
    .addColumn('seller_id', 'bigint', (key) => key.notNull().references('users.id'))
    .addColumn('buyer_id', 'bigint', (key) => key.notNull().references('users.id'))
    .addColumn('kind', 'text', (kind) => kind.notNull())
    .addColumn('bid_id', 'bigint', (key) => key.unique().references('bids.id'))
    .addColumn('quantity', 'integer', (quantity) => quantity.notNull().check(sql`quantity > 0`))
    .addColumn('price', 'bigint', (price) => price.notNull().check(sql`price > 0`))
    .addCheckConstraint('sales_kind_check', sql`(kind = 'auction') = (bid_id is not null)`)
    .execute();
  await sql`create unique index on sales (item_id) where kind = 'auction'`.execute(db);
  await sql`create index on sales (item_id, id)`.execute(db);
  await sql`create index on sales (seller_id, id)`.execute(db);
  await sql`create index on sales (buyer_id, id)`.execute(db);

  await datedTable(db, 'rings')
    .addColumn('sale_id', 'bigint', (key) => key.notNull().unique().references('sales.id'))
    .addColumn('status', 'text', (status) => status.notNull().check(sql`status in ('pending', 'rung', 'failed')`))
    .addColumn('attempts', 'integer', (attempts) => attempts.notNull().defaultTo(0))
    .addColumn('problem', 'text')
    .addColumn('rung_at', 'timestamptz')
    .execute();

  await datedTable(db, 'comments')
    .addColumn('sale_id', 'bigint', (key) => key.notNull().references('sales.id'))
    .addColumn('author_id', 'bigint', (key) => key.notNull().references('users.id'))
    .addColumn('subject_id', 'bigint', (key) => key.notNull().references('users.id'))
    .addColumn('rating', 'integer', (rating) => rating.notNull().check(sql`rating between 1 and 5`))
    .addColumn('text', 'text', (text) => text.notNull())
    .execute();
  await sql`create unique index on comments (sale_id, author_id)`.execute(db);
  await sql`create index on comments (subject_id, id)`.execute(db);
}

async function createLetters(db: MigrationDatabase): Promise<void> {
  await datedTable(db, 'watches')
    .addColumn('item_id', 'bigint', (key) => key.notNull().references('items.id'))
    .addColumn('user_id', 'bigint', (key) => key.notNull().references('users.id'))
    .execute();
  await sql`create unique index on watches (user_id, item_id)`.execute(db);
  await sql`create index on watches (item_id)`.execute(db);

  await datedTable(db, 'mails')
    .addColumn('user_id', 'bigint', (key) => key.notNull().references('users.id'))
    .addColumn('occasion', 'text', (occasion) => occasion.notNull())
    .addColumn('subject', 'text', (subject) => subject.notNull())
    .addColumn('text', 'text', (text) => text.notNull())
    .addColumn('sent_at', 'timestamptz')
    .execute();
  await sql`create unique index on mails (user_id, occasion)`.execute(db);
  await sql`create index on mails (user_id, id)`.execute(db);
}
