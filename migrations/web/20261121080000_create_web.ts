import { migration } from 'bellwether';

/** What the pages and the API of every application keep. The migrations of each application name it. */
export default migration({
  async up(db) {
    await db.schema
      .createTable('web_sessions')
      .addColumn('id', 'text', (id) => id.primaryKey())
      .addColumn('data', 'jsonb', (data) => data.notNull())
      .addColumn('ends_at', 'timestamptz', (at) => at.notNull())
      .addColumn('is_over', 'boolean', (is) => is.notNull())
      .execute();
    await db.schema.createIndex('web_sessions_ends_at_index').on('web_sessions').column('ends_at').execute();
    await db.schema
      .createTable('web_secrets')
      .addColumn('name', 'text', (name) => name.primaryKey())
      .addColumn('value', 'text', (value) => value.notNull())
      .execute();
    await db.schema
      .createTable('rate_limits')
      .addColumn('key', 'text', (key) => key.primaryKey())
      .addColumn('tries', 'integer', (tries) => tries.notNull())
      .addColumn('ends_at', 'timestamptz', (at) => at.notNull())
      .execute();
    await db.schema
      .createTable('idempotency_keys')
      .addColumn('id', 'bigint', (id) => id.primaryKey().generatedAlwaysAsIdentity())
      .addColumn('owner', 'text', (owner) => owner.notNull())
      .addColumn('key', 'text', (key) => key.notNull())
      .addColumn('fingerprint', 'text', (fingerprint) => fingerprint.notNull())
      .addColumn('status', 'integer')
      .addColumn('body', 'jsonb')
      .addColumn('created_at', 'timestamptz', (at) => at.notNull())
      .addUniqueConstraint('idempotency_keys_owner_key_key', ['owner', 'key'])
      .execute();
    await db.schema
      .createIndex('idempotency_keys_created_at_index')
      .on('idempotency_keys')
      .column('created_at')
      .execute();
  },

  async down(db) {
    for (const table of ['idempotency_keys', 'rate_limits', 'web_secrets', 'web_sessions']) {
      await db.schema.dropTable(table).execute();
    }
  },
});
