import { assertIfMatch, Column, etagOf, Id, isFresh, Model, StaleRecordError, Table, Version } from 'bellwether';
import { thrownBy } from '../../support/thrown';
import { errorOf, setUp } from '../transaction/support';

@Table('pages')
class Page extends Model {
  @Id('integer') declare id: number;
  @Column() declare text: string;
  @Version('bigint') declare readonly version: bigint;
}

/** The same rows without a version of their own. */
@Table('pages')
class Bare extends Model {
  @Id('integer') declare id: number;
  @Column() declare text: string;
}

const { database } = setUp(
  'create table pages (id int primary key, text text not null, version bigint not null default 1)',
);
beforeEach(() => database().pool.query(`truncate pages; insert into pages values (1, 'a', 7)`));

test('the tag is the version, or the version in PostgreSQL: another after each write, the same at each read', async () => {
  const page = await Page.find(1);
  expect(etagOf(page)).toBe('"7"');
  await page.update({ text: 'b' });
  expect(etagOf(page)).toBe('"8"');
  expect(etagOf(await Page.find(1))).toBe('"8"');
  const bare = await Bare.find(1);
  const before = etagOf(bare);
  expect(before).toMatch(/^"\d+\.\d+\.\d+"$/);
  expect(etagOf(await Bare.find(1))).toBe(before);
  await bare.update({ text: 'c' });
  expect(etagOf(bare)).not.toBe(before);
  expect(etagOf(await Bare.find(1))).toBe(etagOf(bare));
});

const STRONG: [header: string | undefined, isMatch: boolean][] = [
  [undefined, true],
  ['*', true],
  [' * ', true],
  ['"7"', true],
  ['"6", "7"', true],
  ['"6","7"', true],
  [', "7" ,, ', true],
  ['"a,b", "7"', true],
  ['"\u00fc~!#", "7"', true],
  ['"8"', false],
  ['W/"7"', false],
  ['W/"7", "8"', false],
  ['""', false],
  ['', false],
  [',', false],
];
test.each(STRONG)('If-Match: %j is a match: %p', async (header, isMatch) => {
  const page = await Page.find(1);
  const check = () => assertIfMatch(page, header);
  if (isMatch) return expect(check).not.toThrow();
  const error = thrownBy(check);
  expect(error).toBeInstanceOf(StaleRecordError);
  expect(error).toMatchObject({
    code: 'E_PRECONDITION_FAILED',
    recovery: 'reload',
    details: { model: 'Page', key: '1', status: 412 },
  });
  expect((error as Error).message).not.toContain('"8"');
});

const WEAK: [header: string | undefined, isKnown: boolean][] = [
  [undefined, false],
  ['*', true],
  ['"7"', true],
  ['W/"7"', true],
  ['"6", W/"7"', true],
  ['"8"', false],
  ['', false],
];
test.each(WEAK)('If-None-Match: %j says that the client has it: %p', async (header, isKnown) => {
  expect(isFresh(await Page.find(1), header)).toBe(isKnown);
});

test.each([
  '7',
  '"7',
  '7"',
  'w/"7"',
  'W/7',
  '"7" "8"',
  '"7"; "8"',
  '*, "7"',
  '"\u0001"',
  '"a b"',
  '"\u20ac"',
  "'7'",
  '"7"\n',
])('malformed: %j', async (header) => {
  const page = await Page.find(1);
  for (const check of [() => assertIfMatch(page, header), () => isFresh(page, header)]) {
    expect(thrownBy(check)).toMatchObject({
      code: 'E_MALFORMED_HEADER',
      recovery: 'fix-the-input',
      details: { status: 400 },
    });
  }
});

test('a hostile header is read in one pass', async () => {
  const page = await Page.find(1);
  for (const header of [`${' '.repeat(400_000)}z`, `${'"x",'.repeat(100_000)}"`, `"${'x'.repeat(400_000)}`]) {
    expect(thrownBy(() => assertIfMatch(page, header))).toMatchObject({ code: 'E_MALFORMED_HEADER' });
  }
});

test.each([Page, Bare])('%p: nothing fits between the check and the write', async (Kind) => {
  const [one, other] = [await Kind.find(1), await Kind.find(1)];
  const tag = etagOf(one);
  for (const record of [one, other]) assertIfMatch(record, tag);
  await one.update({ text: 'one' });
  expect(await errorOf(other.update({ text: 'other' }))).toBeInstanceOf(StaleRecordError);
  expect(await errorOf(other.destroy())).toBeInstanceOf(StaleRecordError);
  const read = await Kind.find(1);
  expect(thrownBy(() => assertIfMatch(read, tag))).toMatchObject({ code: 'E_PRECONDITION_FAILED' });
  expect(read.text).toBe('one');
});

test.each([Page, Bare])(
  '%p: a save and a destroy with ifMatch are for the state that it names, and never merged',
  async (Kind) => {
    const page = await Kind.find(1);
    const tag = etagOf(page);
    await page.update({ text: 'b' }, { ifMatch: tag, onConflict: 'merge' });
    const again = await Kind.find(1);
    for (const ifMatch of [tag, `W/${etagOf(again)}`, '']) {
      expect(await errorOf(again.update({ text: 'c' }, { ifMatch }))).toMatchObject({ code: 'E_PRECONDITION_FAILED' });
      expect(await errorOf(again.destroy({ ifMatch }))).toMatchObject({ code: 'E_PRECONDITION_FAILED' });
    }
    expect(await errorOf(again.update({ text: 'c' }, { ifMatch: 'x' }))).toMatchObject({ code: 'E_MALFORMED_HEADER' });
    await database().pool.query('update pages set version = version + 1');
    const [ifMatch, onConflict] = [etagOf(again), 'merge'] as const;
    expect(await errorOf(again.update({ text: 'c' }, { ifMatch, onConflict }))).toMatchObject({
      code: 'E_STALE_RECORD',
    });
    await again.reload();
    await again.update({ text: 'c' }, { ifMatch: '*' });
    await again.update({ text: 'd' }, { ifMatch: undefined });
    await again.destroy({ ifMatch: etagOf(again) });
  },
);

test('a record without a row has no tag', async () => {
  expect(thrownBy(() => etagOf(Page.new({ id: 2, text: '' })))).toMatchObject({ code: 'E_RECORD_NOT_SAVED' });
  const page = await (await Page.find(1)).destroy();
  expect(thrownBy(() => etagOf(page))).toMatchObject({ code: 'E_RECORD_DESTROYED' });
});
