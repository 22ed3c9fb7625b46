import { Column, HasMany, Id, Model, Table, Version } from 'bellwether';
import type { SaveOptions } from 'bellwether';
import { thrownBy } from '../../support/thrown';
import { errorOf, reasonOf, setUp } from '../transaction/support';

@Table('drafts')
class Draft extends Model {
  @Id('integer') declare id: number;
  @Column() declare text: string;
  @Column('integer', { default: 0 }) declare reads: number;
  @Column('integer', { nullable: true }) declare folderId: number | null;
  @Version() declare readonly version: number;
}
@Table('folders')
class Folder extends Model {
  @Id('integer') declare id: number;
  @Version('bigint', { name: 'lock_version' }) declare readonly version: bigint;
  @HasMany(() => Draft, { dependent: 'nullify' }) declare drafts: HasMany<Draft>;
  @Column('integer', { default: 0 }) declare size: number;
}
@Table('drafts')
class Unversioned extends Model {
  @Id('integer') declare id: number;
  @Column() declare text: string;
}

const { database, db } = setUp(`
  create table folders (id int primary key, size int not null, lock_version bigint not null);
  create table drafts (id int primary key, text text not null, reads int not null, folder_id int, version int not null);
`);
beforeEach(() => database().pool.query('truncate drafts, folders'));

const make = () => Draft.create({ id: 1, text: 'a' });
const stored = async () => (await Draft.find(1)).version;

test('a version begins with 1 and is one more after each write that changes the row', async () => {
  const draft = await make();
  expect(draft.version).toBe(1);
  await draft.update({ text: 'b' });
  expect(draft.version).toBe(2);
  await draft.save(); // nothing to save
  expect([draft.version, await stored()]).toEqual([2, 2]);
  await Draft.where({ id: 1 }).updateAll({ text: 'c' });
  await Draft.where({ id: 1 }).increment({ reads: 2 });
  await Draft.where({ id: 1 }).decrement({ reads: 1 });
  expect(await stored()).toBe(5);
  const folder = await Folder.create({ id: 7 });
  await folder.update({ size: 1 });
  expect(folder.version).toBe(2n);
  await Draft.where({ id: 1 }).updateAll({ folderId: 7 });
  await folder.destroy();
  expect(await Draft.find(1)).toMatchObject({ folderId: null, version: 7 });
});

test('undone with its transaction, a version is again what the row has', async () => {
  const draft = await make();
  await reasonOf(db().transaction(() => draft.update({ text: 'b' }).then(() => Promise.reject(new Error('undone')))));
  expect([draft.version, await stored()]).toEqual([1, 1]);
  await draft.update({ text: 'c' }, { ifVersion: 1 });
  expect([draft.version, await stored()]).toEqual([2, 2]);
});

test('it cannot be assigned, in any way', async () => {
  const draft = await make();
  const refusal = { code: 'E_READONLY_ATTRIBUTE', details: { model: 'Draft', attribute: 'version' } };
  expect(thrownBy(() => ((draft as { version: number }).version = 9))).toMatchObject(refusal);
  expect(thrownBy(() => draft.assign({ version: 9 }))).toMatchObject(refusal);
  expect(thrownBy(() => Draft.new({ version: 9 }))).toMatchObject(refusal);
  expect(await errorOf(draft.update({ version: 9 }))).toMatchObject(refusal);
  expect(await errorOf(Draft.create({ id: 2, text: 'b', version: 9 }))).toMatchObject(refusal);
  expect(await errorOf(Draft.where({ id: 1 }).updateAll({ version: 9 }))).toMatchObject(refusal);
  expect(await errorOf(Draft.where({ id: 1 }).increment({ version: 9 }))).toMatchObject(refusal);
  expect(await Draft.where({ version: 1 }).count()).toBe(1);
});

test('ifVersion: a save and a destroy are for the version that was handed out, whenever the record was read', async () => {
  const handedOut = (await make()).version;
  await (await Draft.find(1)).update({ text: 'theirs' }, { ifVersion: handedOut });
  expect(await errorOf((await Draft.find(1)).update({ text: null as never }, { ifVersion: handedOut }))).toMatchObject({
    code: 'E_STALE_RECORD', // which says more than that it is not valid
  });
  for (const ifVersion of [handedOut, BigInt(handedOut), 3]) {
    const draft = await Draft.find(1);
    const stale = { code: 'E_STALE_RECORD', recovery: 'reload', details: { model: 'Draft', key: '1', isGone: false } };
    expect(await errorOf(draft.update({ text: 'mine' }, { ifVersion }))).toMatchObject(stale);
    expect(await errorOf(draft.save({ ifVersion }))).toMatchObject(stale);
    expect(await errorOf(draft.save({ ifVersion, onConflict: 'merge' }))).toMatchObject(stale);
    expect(await errorOf(draft.destroy({ ifVersion }))).toMatchObject(stale);
  }
  const draft = await Draft.find(1);
  await draft.update({ text: 'mine' }, { ifVersion: 2n });
  await draft.destroy({ ifVersion: 3 });
  expect(await Draft.count()).toBe(0);
});

test('the row may have gone on since the record was read at the right version: refused as stale', async () => {
  await make();
  const draft = await Draft.find(1);
  await database().pool.query(`update drafts set text = 'raw'`); // which does not count the version on
  expect(await errorOf(draft.update({ text: 'mine' }, { ifVersion: 1 }))).toMatchObject({ code: 'E_STALE_RECORD' });
  expect(await errorOf(draft.destroy({ ifVersion: 1 }))).toMatchObject({ code: 'E_STALE_RECORD' });
});

test.each<[why: string, options: object, expected: object]>([
  ['a field that was not sent', { ifVersion: undefined }, { code: 'E_INVALID_OPTION' }],
  ['no number', { ifVersion: Number('x') }, { code: 'E_INVALID_OPTION' }],
  ['a text', { ifVersion: '1' }, { code: 'E_INVALID_OPTION' }],
  ['no such mode', { onConflict: 'ignore' }, { code: 'E_INVALID_OPTION', details: { option: 'onConflict' } }],
])('%s is refused', async (_why, options, expected) => {
  const draft = await make();
  expect(await errorOf(draft.save(options as SaveOptions))).toMatchObject(expected);
  expect(await errorOf(draft.destroy(options as SaveOptions))).toMatchObject(expected);
});

test('a version of what has none is refused', async () => {
  await make();
  expect(await errorOf((await Unversioned.find(1)).save({ ifVersion: 1 }))).toMatchObject({ code: 'E_NO_VERSION' });
  expect(await errorOf(Draft.new({ text: 'new' }).save({ ifVersion: 1 }))).toMatchObject({
    code: 'E_RECORD_NOT_SAVED',
  });
});
