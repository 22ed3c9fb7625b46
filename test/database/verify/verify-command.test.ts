import { mkdtemp, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createTestDatabase } from 'bellwether/testing';
import type { TestDatabase } from 'bellwether/testing';
import type { Finding } from 'bellwether';
import { filesMatching, loadModels } from '../../../framework/cli/load-models';
import { startProcess } from '../races/typescript-process';
import { errorOf } from '../transaction/support';

const MODELS = {
  'models/owner.ts': `
    import { Column, HasMany, Id, Invariant, Model, Table, Unique, Validates } from 'bellwether';
    import { Pet } from './animals/pet';
    @Table('owners')
    @Invariant<Owner>('few', { having: 'count(*) < 99' })
    export class Owner extends Model {
      @Id() declare readonly id: bigint;
      @Column() @Unique({ caseInsensitive: true }) declare email: string;
      @HasMany(() => Pet, { dependent: 'destroy' }) declare pets: HasMany<Pet>;
      @Validates() looksRight(): void {}
    }`,
  'models/animals/pet.ts': `
    import { BelongsTo, Check, Column, Id, Model, Table } from 'bellwether';
    import { Owner } from '../owner';
    @Table('pets')
    export class Pet extends Model {
      @Id() declare readonly id: bigint;
      @Column('integer') @Check('age >= 0') declare age: number;
      @BelongsTo(() => Owner) declare owner: BelongsTo<Owner>;
    }`,
  'models/empty/nothing.ts': 'export const nothing: number = 1;',
  'models/broken/wrong.ts': "import { absent } from './no-such-file';\nexport default absent;",
  'notes/readme.md': 'nothing to load',
};
const TABLES = `
  create table owners (id bigint generated always as identity primary key, email text not null);
  create table pets (id bigint generated always as identity primary key, age int not null, owner_id bigint not null);`;

let folder: string;
let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase(TABLES);
  folder = await mkdtemp(join(tmpdir(), 'bellwether-verify-'));
  for (const [name, text] of Object.entries(MODELS)) {
    await mkdir(join(folder, name, '..'), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  await writeFile(join(folder, 'package.json'), '{}');
  await symlink(resolve(__dirname, '../../../node_modules'), join(folder, 'node_modules'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  await database.drop();
});

interface Answer {
  readonly status: number;
  readonly printed: string;
  readonly complaints: string;
}

function run(...args: string[]): Promise<Answer> {
  const file = resolve(__dirname, 'verify-process.ts');
  const child = startProcess(file, [folder, ...args], { DATABASE_URL: database.url });
  return new Promise((answer, reject) => {
    child.once('message', (message) => answer(message as Answer));
    child.once('exit', (code) => reject(new Error(`The process ended with ${code} and said nothing.`)));
  });
}

const GOOD = 'models/{owner,animals/pet}.ts';

test('what is missing is named, with the SQL that mends it; once it is run, all is beneath', async () => {
  const before = await run('db', 'verify', '--models', GOOD);
  expect(before).toMatchObject({ status: 1, complaints: '' });
  expect(before.printed.split('\n')).toEqual([
    'Not as declared:',
    '  Owner.email: @Unique has no unique index on owners (lower(email)).',
    '  Pet.age: @Check has no constraint "pets_age_check" check (age >= 0).',
    '',
    'Held for writes through the framework only:',
    '  Pet.owner: no foreign key on "owner_id" stands beneath @BelongsTo; raw SQL could break it.',
    '  Owner: the table "bellwether_guards" for its rules over several rows is not there; the first write makes it, if it may.',
    '',
    'Held by the framework alone, since no constraint can say it:',
    '  Owner: @Invariant "few"; raw SQL could break it.',
    '  Owner.looksRight: @Validates.',
    '',
    'What would put them beneath, for `bellwether migrate new <name> --sql`:',
    '  create unique index on "owners" (lower("email"));',
    '  alter table "pets" add constraint "pets_age_check" check (age >= 0);',
    '  alter table "pets" add constraint "pets_owner_id_fkey" foreign key ("owner_id") references "owners" ("id");',
    '',
    '2 models: see above.',
  ]);
  const json = await run('db', 'verify', '--json', '--models', GOOD);
  const findings = JSON.parse(json.printed) as Finding[];
  expect([json.status, findings.map(({ kind }) => kind)]).toEqual([
    1,
    ['mismatch', 'framework', 'framework', 'mismatch', 'loose', 'loose'],
  ]);
  for (const { sql } of findings) if (sql !== undefined) await database.pool.query(sql);
  await database.pool.query('create table bellwether_guards (bucket int primary key, turn bigint not null)');
  const after = await run('db', 'verify', '--models', GOOD);
  expect(after.status).toBe(0);
  expect(after.printed).toContain('2 models: the database is as they declare it.');
  expect(after.printed).toContain('Owner.looksRight: @Validates.');
  expect(after.printed).not.toContain('bellwether_guards');
});

test('a pattern that matches nothing ends with status 1 and what to do', async () => {
  const { status, complaints } = await run('db', 'verify', '--models', 'modles/**/*.ts');
  expect([status, complaints]).toEqual([1, expect.stringContaining('No file of code matches modles/**/*.ts')]);
  expect(complaints).toContain("--models 'app/models/**/*.ts'. (E_MODEL_FILES)");
});

test.each([
  ['notes', 'No file of code matches notes'],
  ['models/empty', 'None of the 1 files that match models/empty declares a model with @Table.'],
  ['models/broken/wrong.ts', 'models/broken/wrong.ts cannot be loaded: Cannot find module'],
  [undefined, 'models/broken/wrong.ts cannot be loaded: Cannot find module'],
])('%s is a clear error', async (pattern, complaint) => {
  const error = await errorOf(loadModels(folder, pattern));
  expect(error).toMatchObject({ code: 'E_MODEL_FILES', recovery: 'fix-the-setup' });
  expect(error.message).toContain(complaint);
});

test('patterns find what they say', () => {
  const found = (pattern: string) => filesMatching(folder, pattern).map((file) => file.slice(folder.length + 1));
  expect(found('models')).toEqual([
    'models/animals/pet.ts',
    'models/broken/wrong.ts',
    'models/empty/nothing.ts',
    'models/owner.ts',
  ]);
  expect(found('models/*.ts')).toEqual(['models/owner.ts']);
  expect(found('./models/**/p*.{ts,js}')).toEqual(['models/animals/pet.ts']);
  expect(found('models/owner.ts')).toEqual(['models/owner.ts']);
  expect(found(join(folder, 'models/*/*.ts'))).toHaveLength(3);
  expect(found('models/owner.js')).toEqual([]);
});
