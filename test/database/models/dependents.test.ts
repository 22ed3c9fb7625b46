import { BeforeDestroy, BelongsTo, Column, connect, HasMany, HasOne, Id, Model, Table } from 'bellwether';
import type { Database } from 'bellwether';
import { createTestDatabase } from 'bellwether/testing';
import type { TestDatabase } from 'bellwether/testing';

let destroyed: string[] = [];

abstract class Named extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare name: string;
  @BeforeDestroy() note() {
    if (this.name === 'stays') throw new RangeError('stays');
    destroyed.push(this.name);
  }
}
@Table('owners')
class Owner extends Named {
  @HasMany(() => Destroyed, { dependent: 'destroy' }) declare destroyedOnes: HasMany<Destroyed>;
  @HasMany(() => Deleted, { dependent: 'delete' }) declare deletedOnes: HasMany<Deleted>;
  @HasOne(() => Nullified, { dependent: 'nullify' }) declare nullifiedOne: HasOne<Nullified>;
  @HasMany(() => Restricted, { dependent: 'restrict' }) declare restricted: HasMany<Restricted>;
  @HasMany(() => Undeclared) declare undeclared: HasMany<Undeclared>;
}
@Table('destroyed')
class Destroyed extends Named {
  @BelongsTo(() => Owner) declare owner: BelongsTo<Owner>;
  @HasMany(() => Grandchild, { dependent: 'destroy' }) declare grandchildren: HasMany<Grandchild>;
}
@Table('grandchildren')
class Grandchild extends Named {
  @BelongsTo(() => Destroyed) declare parent: BelongsTo<Destroyed>;
}
@Table('deleted')
class Deleted extends Named {
  @BelongsTo(() => Owner) declare owner: BelongsTo<Owner>;
}
@Table('nullified')
class Nullified extends Named {
  @BelongsTo(() => Owner, { optional: true }) declare owner: BelongsTo<Owner | null>;
}
@Table('restricted')
class Restricted extends Named {
  @BelongsTo(() => Owner) declare owner: BelongsTo<Owner>;
}
@Table('undeclared')
class Undeclared extends Named {
  @BelongsTo(() => Owner) declare owner: BelongsTo<Owner>;
}

const child = (table: string, parent: string, column = 'owner_id') => `
  create table ${table} (id bigint generated always as identity primary key, name text not null,
    ${column} bigint references ${parent});`;

let database: TestDatabase;
let db: Database;
let statements: string[] = [];
beforeAll(async () => {
  database = await createTestDatabase(`
    create table owners (id bigint generated always as identity primary key, name text not null);
    ${child('destroyed', 'owners')} ${child('grandchildren', 'destroyed', 'parent_id')} ${child('deleted', 'owners')}
    ${child('nullified', 'owners')} ${child('restricted', 'owners')} ${child('undeclared', 'owners')}`);
  db = await connect({ url: database.url });
  db.on('statement:end', ({ sql }) => statements.push(sql));
});
beforeEach(async () => {
  await database.pool.query('truncate owners cascade');
  destroyed = [];
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

const counts = () =>
  Promise.all([Owner.count(), Destroyed.count(), Grandchild.count(), Deleted.count(), Nullified.count()]);
async function family(): Promise<Owner> {
  const owner = await Owner.create({ name: 'owner' });
  for (const name of ['first', 'second']) {
    const one = await owner.destroyedOnes.create({ name });
    await one.grandchildren.create({ name: `of ${name}` });
    await owner.deletedOnes.create({ name });
  }
  await owner.nullifiedOne.create({ name: 'let go' });
  return owner;
}

test('each association does what it declares, in one transaction', async () => {
  const owner = await family();
  const other = await family();
  await owner.destroy();
  expect(destroyed).toEqual(['owner', 'first', 'of first', 'second', 'of second']);
  expect(await counts()).toEqual([1, 2, 2, 2, 2]);
  expect(await Nullified.where({ owner: null }).pluck('name')).toEqual(['let go']);
  expect(await Nullified.where({ owner: other }).count()).toBe(1);
});

test('what must not go keeps its owner, and everything is as it was', async () => {
  const owner = await family();
  await owner.restricted.create({ name: 'x' });
  await expect(owner.destroy()).rejects.toMatchObject({
    code: 'E_DEPENDENT_RECORDS',
    recovery: 'fix-the-input',
    details: { model: 'Owner', association: 'restricted' },
  });
  expect(await counts()).toEqual([1, 2, 2, 2, 1]);
  expect(owner.isDestroyed).toBe(false);
  await Restricted.everyRow().deleteAll();
  await owner.destroy();
  expect(await Owner.count()).toBe(0);
});

test('a dependent that refuses to be destroyed keeps all', async () => {
  const owner = await family();
  await owner.destroyedOnes.create({ name: 'stays' });
  await expect(owner.destroy()).rejects.toThrow('stays');
  expect(await counts()).toEqual([1, 3, 2, 2, 1]);
});

test('a foreign key that no association declares is told by its table', async () => {
  const owner = await family();
  await owner.undeclared.create({ name: 'x' });
  await expect(owner.destroy()).rejects.toMatchObject({
    code: 'E_DEPENDENT_RECORDS',
    details: { association: 'rows in "undeclared"' },
    cause: { code: 'E_FOREIGN_KEY_VIOLATION' },
  });
  expect(await counts()).toEqual([1, 2, 2, 2, 1]);
});

test('many dependents are read in batches, each destroyed once', async () => {
  const owner = await Owner.create({ name: 'owner' });
  await database.pool.query(`insert into deleted (name, owner_id) select n::text, $1 from generate_series(1, 2000) n`, [
    owner.id.toString(),
  ]);
  await database.pool.query(
    `insert into destroyed (name, owner_id) select n::text, $1 from generate_series(1, 501) n`,
    [owner.id.toString()],
  );
  statements = [];
  await owner.destroy();
  expect(new Set(destroyed).size).toBe(502);
  expect(statements.filter((sql) => /^select.*from "destroyed".*limit/.test(sql))).toHaveLength(2);
  expect(statements.filter((sql) => /^delete from "deleted"/.test(sql))).toHaveLength(1);
  expect(await counts()).toEqual([0, 0, 0, 0, 0]);
});
