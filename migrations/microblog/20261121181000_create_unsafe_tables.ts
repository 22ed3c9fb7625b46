import { migration, sql } from 'bellwether';
import type { MigrationDatabase } from 'bellwether';

/** For the drill: the same tables with nothing that holds a rule. */
export default migration({
  async up(db) {
    await table(db, 'unsafe_users', 'username').execute();
    await table(db, 'unsafe_relationships', 'follower_id', 'followed_id').execute();
    await table(db, 'unsafe_blocks', 'blocker_id', 'blocked_id').execute();
    // As fast as the others, and no more.
    await sql`create index on unsafe_users (username)`.execute(db);
    await sql`create index on unsafe_relationships (follower_id, followed_id)`.execute(db);
    await sql`create index on unsafe_relationships (followed_id)`.execute(db);
    await sql`create index on unsafe_blocks (blocker_id, blocked_id)`.execute(db);
  },

  async down(db) {
    for (const name of ['unsafe_blocks', 'unsafe_relationships', 'unsafe_users']) {
      await db.schema.dropTable(name).execute();
    }
  },
});

const table = (db: MigrationDatabase, name: string, ...columns: readonly string[]) =>
  columns.reduce(
    (made, column) => made.addColumn(column, column.endsWith('_id') ? 'bigint' : 'text', (its) => its.notNull()),
    db.schema.createTable(name).addColumn('id', 'bigint', (id) => id.primaryKey().generatedAlwaysAsIdentity()),
  );
