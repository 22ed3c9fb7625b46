import { migration, sql } from 'bellwether';
import type { MigrationDatabase } from 'bellwether';

// Constraints have the names that PostgreSQL would choose, so that the models find their rules by them.
export default migration({
  async up(db) {
    await createUsers(db);
    await createRelationships(db);
    await createMicroposts(db);
  },

  async down(db) {
    for (const table of ['microposts', 'blocks', 'relationships', 'users']) await db.schema.dropTable(table).execute();
  },
});

const table = (db: MigrationDatabase, name: string) =>
  db.schema
    .createTable(name)
    .addColumn('id', 'bigint', (id) => id.primaryKey().generatedAlwaysAsIdentity())
    .addColumn('created_at', 'timestamptz', (at) => at.notNull().defaultTo(sql`now()`));

async function createUsers(db: MigrationDatabase): Promise<void> {
  await table(db, 'users')
    .addColumn('username', 'text', (name) => name.notNull().check(sql`username ~* '^[a-z][a-z0-9_]{2,19}$'`))
    .addColumn('email', 'text', (email) => email.notNull())
    .addColumn('password_hash', 'text', (hash) => hash.notNull())
    .execute();
  await sql`create unique index on users (lower(username))`.execute(db);
  await sql`create unique index on users (lower(email))`.execute(db);
}

async function createRelationships(db: MigrationDatabase): Promise<void> {
  await table(db, 'relationships')
    .addColumn('follower_id', 'bigint', (key) => key.notNull().references('users.id'))
    .addColumn('followed_id', 'bigint', (key) => key.notNull().references('users.id'))
    .addUniqueConstraint('relationships_follower_id_followed_id_key', ['follower_id', 'followed_id'])
    .execute();
  await sql`create index on relationships (follower_id, id)`.execute(db);
  await sql`create index on relationships (followed_id, id)`.execute(db);

  await table(db, 'blocks')
    .addColumn('blocker_id', 'bigint', (key) => key.notNull().references('users.id'))
    .addColumn('blocked_id', 'bigint', (key) => key.notNull().references('users.id'))
    .addUniqueConstraint('blocks_blocker_id_blocked_id_key', ['blocker_id', 'blocked_id'])
    .addCheckConstraint('blocks_blocked_id_check', sql`blocker_id <> blocked_id`)
    .execute();
  await sql`create index on blocks (blocked_id)`.execute(db);
}

async function createMicroposts(db: MigrationDatabase): Promise<void> {
  await table(db, 'microposts')
    .addColumn('author_id', 'bigint', (key) => key.notNull().references('users.id'))
    .addColumn('content', 'text', (text) => text.notNull().check(sql`char_length(content) between 1 and 280`))
    .addColumn('in_reply_to_id', 'bigint', (key) => key.references('microposts.id').onDelete('cascade'))
    .addColumn('conversation_id', 'bigint', (key) => key.references('microposts.id').onDelete('cascade'))
    .addColumn('version', 'integer', (version) => version.notNull())
    .execute();
  await sql`create index on microposts (author_id, id)`.execute(db);
  await sql`create index on microposts (in_reply_to_id, id)`.execute(db);
  await sql`create index on microposts (conversation_id, id)`.execute(db);
}
