import { BeforeSave, Column, Id, MergeConflictError, Model, Table, UpdatedAt, Version } from 'bellwether';
import type { AttributeValues, IsolationLevel } from 'bellwether';
import { barrier, setUp } from '../transaction/support';

const EDITORS = 64;
const FIELDS = Array.from({ length: EDITORS }, (_, editor) => `field${editor}`);

/** Has an attribute for each editor, `field0` and so on. */
abstract class Form extends Model {
  @Id('integer') declare id: number;
  @UpdatedAt() declare updatedAt: Date;
  @Version() declare readonly version: number;
}
for (const name of FIELDS) Column('integer', { default: 0, name })(Form.prototype as never, name as never);

const writing = (editor: number, value: number) => ({ [FIELDS[editor]!]: value }) as AttributeValues<Form>;

@Table('forms', { onConflict: 'merge' })
class Plain extends Form {}

/** With a callback, every save is a transaction. */
@Table('forms', { onConflict: 'merge' })
class Watched extends Form {
  @BeforeSave() protected touch(): void {}
}

const { database, open } = setUp(`create table forms (id int primary key, updated_at timestamptz not null,
  version int not null default 1, ${FIELDS.map((name) => `${name} int not null default 0`).join(', ')})`);
beforeEach(() => database().pool.query('truncate forms; insert into forms values (1, now())'));

const row = async () => (await database().pool.query<Record<string, number>>('select * from forms')).rows[0]!;
const fields = async () => {
  const found = await row();
  return FIELDS.map((name) => found[name]);
};

const LEVELS = ['read committed', 'repeatable read', 'serializable'] as const;
const WAYS = LEVELS.flatMap((level) =>
  [Plain, Watched].flatMap((Kind): [IsolationLevel, typeof Plain, boolean][] => [
    [level, Kind, false],
    [level, Kind, true],
  ]),
);

test.each(WAYS)(
  '%s, %p, in a transaction: %p: 64 editors of one row, an attribute each',
  async (isolation, Kind, inside) => {
    const pool = await open({ poolSize: 16, isolation });
    const meet = barrier(EDITORS);
    const edit = async (_: unknown, editor: number) => {
      const form = await Kind.find(1);
      await meet(); // all have read before the first one writes
      const save = () => form.update(writing(editor, editor + 1));
      await (inside ? pool.transaction(save) : save());
    };
    await pool.use(() => Promise.all(Array.from({ length: EDITORS }, edit)));
    expect(await fields()).toEqual(FIELDS.map((_, editor) => editor + 1));
    expect((await row()).version).toBe(EDITORS + 1);
    await pool.close();
  },
);

test.each(LEVELS)(
  '%s: one of 16 editors of the same attribute wins; nothing of the others is written',
  async (isolation) => {
    const pool = await open({ poolSize: 16, isolation });
    const meet = barrier(16);
    const edit = async (_: unknown, editor: number) => {
      const form = await Plain.find(1);
      await meet();
      return form.update({ ...writing(0, editor + 1), ...writing(editor + 1, 1) });
    };
    const results = await pool.use(() => Promise.allSettled(Array.from({ length: 16 }, edit)));
    const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    expect(refused).toHaveLength(15);
    const [first, ...others] = await fields();
    expect(others.filter((value) => value === 1)).toHaveLength(1);
    expect(others[first! - 1]).toBe(1);
    for (const error of refused) {
      expect(error).toBeInstanceOf(MergeConflictError);
      expect((error as MergeConflictError).conflicts).toMatchObject({ field0: { base: 0, theirs: first } });
    }
    await pool.close();
  },
);
