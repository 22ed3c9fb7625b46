import {
  AfterCommit,
  AfterRollback,
  BeforeSave,
  BelongsTo,
  Check,
  Column,
  HasMany,
  Id,
  MergeConflictError,
  Model,
  StaleRecordError,
  Table,
  UpdatedAt,
  Validates,
  Version,
  Virtual,
} from 'bellwether';
import type { OnConflict } from 'bellwether';
import { countingTrips, errorOf, setUp } from '../transaction/support';

abstract class Columns extends Model {
  @Id('integer') declare id: number;
  @Column() declare owner: string;
  @Column('text', { nullable: true }) declare phone: string | null;
  @Column('integer')
  @Check('low <= high', { constraint: 'spans', holds: (span: Columns) => span.low <= span.high })
  declare low: number;
  @Column('integer') declare high: number;
  @Column('jsonb') declare settings: Record<string, unknown>;
  @UpdatedAt() declare updatedAt: Date;
  @Virtual() declare note: string | undefined;
  @Version() declare readonly version: number;
}

@Table('cards')
class Card extends Columns {}

@Table('cards', { onConflict: 'merge' })
class Merged extends Columns {}

@Table('cards', { onConflict: 'retry' })
class Retried extends Columns {}

/** What the callbacks of all records saw, in their order. */
let seen: string[] = [];

@Table('cards', { onConflict: 'merge' })
class Watched extends Columns {
  @Validates() protected check(): void {
    seen.push(`validate ${this.low}-${this.high}`);
    if (this.owner === 'nobody') this.errors.add('owner', 'is nobody');
  }
  @BeforeSave() protected tally(): void {
    this.phone = `${this.low}-${this.high}`;
    this.settings = { ...this.settings, saves: Number(this.settings.saves ?? 0) + 1 };
  }
  @AfterCommit() protected committed(): void {
    seen.push('committed');
  }
  @AfterRollback() protected undone(): void {
    seen.push('undone');
  }
}

@Table('cards')
class Parent extends Columns {
  @HasMany(() => Child, { dependent: 'destroy' }) declare children: HasMany<Child>;
}
@Table('children', { onConflict: 'merge' })
class Child extends Model {
  @Id('integer') declare id: number;
  @BelongsTo(() => Parent) declare parent: BelongsTo<Parent>;
  @Column('text', { nullable: true }) declare name: string | null;
}

@Table('cards', { onConflict: 'merge' })
class Linked extends Columns {
  other: Card | undefined;
  @BeforeSave() protected async saveOther(): Promise<void> {
    seen.push('linked');
    await this.other?.update({ owner: 'other' });
  }
}

const { database, db, open } = setUp(`
  create table cards (id int primary key, owner text not null, phone text, low int not null, high int not null,
    settings jsonb not null, updated_at timestamptz not null, version int not null default 1,
    constraint spans check (low <= high));
  create table children (id int primary key, parent_id int not null references cards, name text);
`);
beforeEach(async () => {
  seen = [];
  await database().pool.query(
    `truncate cards, children; insert into cards values (1, 'Ann', '1', 0, 9, '{"a": 1}', now(), 1)`,
  );
});
const row = async () => (await database().pool.query('select * from cards')).rows[0] as Record<string, unknown>;
const theirs = (set: string) => database().pool.query(`update cards set ${set}`);
const LEVELS = ['read committed', 'repeatable read', 'serializable'] as const;

describe('merge', () => {
  test.each<[string, typeof Card, OnConflict | undefined]>([
    ['by the model', Merged, undefined],
    ['by the save', Card, 'merge'],
  ])('%s: what only one of two changed is kept', async (_by, Kind, onConflict) => {
    const card = await Kind.find(1);
    await theirs(`owner = 'Bob', settings = '{"b": 2}'`);
    card.note = 'mine';
    await card.update({ phone: null }, onConflict && { onConflict });
    expect(await row()).toMatchObject({ owner: 'Bob', phone: null, settings: { b: 2 } });
    expect([card.owner, card.phone, card.note, card.isChanged]).toEqual(['Bob', null, 'mine', false]);
    await theirs(`owner = 'Cid'`);
    await card.update({ phone: '3' }, onConflict && { onConflict });
    expect([card.owner, card.phone, card.note]).toEqual(['Cid', '3', 'mine']);
  });

  test('a parent that is another by now is not taken for the one that was loaded', async () => {
    await theirs('id = 2');
    await database().pool.query(`insert into cards select 1, 'Bea', phone, low, high, settings, updated_at from cards`);
    await database().pool.query('insert into children values (1, 2, null)');
    const child = await Child.include('parent').find(1);
    expect(child.parent.value.owner).toBe('Ann');
    await database().pool.query('update children set parent_id = 1');
    await child.update({ name: 'mine' });
    expect((await child.parent.load()).owner).toBe('Bea');
  });

  test('when it was saved last is never a conflict', async () => {
    const card = await Merged.find(1);
    await (await Card.find(1)).update({ owner: 'Bob', updatedAt: new Date(1) });
    await card.update({ phone: '2', updatedAt: new Date(2) });
    expect(await row()).toMatchObject({ owner: 'Bob', phone: '2', updated_at: new Date(2) });
  });

  test('a conflict over another record, which a callback saved, is none of this one', async () => {
    const [one, other] = [await Linked.find(1), await Card.find(1)];
    one.other = other;
    await theirs('high = 8');
    const error = await errorOf(one.update({ low: 1 }));
    expect(error).toMatchObject({ code: 'E_STALE_RECORD', details: { model: 'Card' } });
    expect(seen).toEqual(['linked']);
  });

  test('both to the same value is no conflict; nothing is left to write', async () => {
    const card = await Merged.find(1);
    await theirs(`owner = 'Bob', settings = '{"b": {"c": [1]}}', version = 2`);
    await card.update({ owner: 'Bob', settings: { b: { c: [1] } } });
    expect([card.isChanged, card.version]).toEqual([false, 2]);
    expect((await row()).version).toBe(2);
  });

  test('both differently is refused with all three values, and the record is as it was', async () => {
    const card = await Merged.find(1);
    await theirs(`owner = 'Bob', settings = '{"a": 1, "theirs": 1}', high = 99, version = version + 1`);
    card.assign({ owner: 'Cid', settings: { a: 1, mine: 1 }, phone: '7' });
    const error = (await errorOf(card.save())) as MergeConflictError;
    expect(error).toBeInstanceOf(StaleRecordError);
    expect(error).toMatchObject({ code: 'E_MERGE_CONFLICT', recovery: 'reload' });
    const conflicts = {
      owner: { base: 'Ann', mine: 'Cid', theirs: 'Bob' },
      settings: { base: { a: 1 }, mine: { a: 1, mine: 1 }, theirs: { a: 1, theirs: 1 } }, // a JSON value is merged as a whole
    };
    expect(error.details).toEqual({ model: 'Merged', key: '1', isGone: false, conflicts });
    expect(error.conflicts).toEqual(conflicts);
    expect(error.message).not.toMatch(/Ann|Bob|Cid/);
    expect([card.owner, card.phone, card.high, card.version]).toEqual(['Cid', '7', 9, 1]);
    expect(Object.keys(card.changes)).toEqual(['owner', 'settings', 'phone']);
    expect(await row()).toMatchObject({ owner: 'Bob', phone: '1' });
    await card.reload();
    await card.update({ owner: 'Cid' });
  });

  test('a row that has gone is stale', async () => {
    const card = await Merged.find(1);
    await database().pool.query('delete from cards');
    expect(await errorOf(card.update({ owner: 'Bob' }))).toMatchObject({
      code: 'E_STALE_RECORD',
      details: { isGone: true },
    });
  });

  test('two valid changes that are not valid together are refused by the validation', async () => {
    const card = await Merged.find(1);
    await theirs('high = 3');
    expect(await errorOf(card.update({ low: 5 }))).toMatchObject({
      code: 'E_VALIDATION',
      problems: [{ attribute: 'low', code: 'check' }],
    });
    expect([card.low, card.high, card.changes]).toEqual([5, 9, { low: { before: 0, after: 5 } }]);
    expect(await row()).toMatchObject({ low: 0, high: 3 });
  });

  test.each(LEVELS)(
    'callbacks and validations see the merged record, and its end is told once, at %s',
    async (isolation) => {
      const pool = await open({ isolation });
      await pool.use(async () => {
        const card = await Watched.find(1);
        await theirs('high = 7');
        await card.update({ low: 5 });
        expect(seen).toEqual(['validate 5-9', 'validate 5-7', 'committed']);
        expect(await row()).toMatchObject({ low: 5, high: 7, phone: '5-7', settings: { a: 1, saves: 1 } });
        seen = [];
        await theirs('low = 4, version = version + 1');
        expect(await errorOf(card.update({ owner: 'nobody' }))).toMatchObject({ code: 'E_VALIDATION' });
        expect(await errorOf(card.update({ owner: 'Cid', low: 3 }))).toMatchObject({ code: 'E_MERGE_CONFLICT' });
        expect(seen).toEqual(['validate 5-7', 'undone', 'validate 3-7', 'undone']);
        expect([card.low, card.phone, card.isChanged]).toEqual([3, '5-7', true]);
      });
    },
  );

  test.each(LEVELS)(
    'inside a transaction at %s: the newer row is merged, or the whole runs again to see it',
    async (isolation) => {
      const attempts: number[] = [];
      const early = await Merged.find(1);
      await theirs(`owner = 'Bob'`);
      await db().transaction({ isolation }, async ({ attempt }) => {
        attempts.push(attempt);
        const card = await Merged.find(1);
        if (attempt === 1) await theirs('high = 8');
        card.low += 1;
        await card.save();
        await early.update({ phone: '2' });
      });
      expect(attempts).toEqual(isolation === 'read committed' ? [1] : [1, 2]);
      expect(await row()).toMatchObject({ owner: 'Bob', phone: '2', low: 1, high: 8 });
    },
  );

  test('refused inside a transaction, the transaction goes on', async () => {
    const card = await Merged.find(1);
    await theirs(`owner = 'Bob'`);
    await db().transaction(async () => {
      expect(await errorOf(card.update({ owner: 'Cid' }))).toBeInstanceOf(MergeConflictError);
      await Card.where({ id: 1 }).updateAll({ phone: '5' });
    });
    expect(await row()).toMatchObject({ owner: 'Bob', phone: '5' });
  });

  test('undone with the transaction around it, the record is what it was before', async () => {
    const card = await Merged.find(1);
    await theirs(`owner = 'Bob'`);
    await errorOf(
      db().transaction(async () => {
        await card.update({ phone: '2' });
        await Merged.find(2);
      }),
    );
    expect([card.owner, card.phone, card.version]).toEqual(['Ann', '1', 1]);
    expect(await row()).toMatchObject({ owner: 'Bob', phone: '1' });
  });

  test('another version than ifVersion names is never merged', async () => {
    const card = await Merged.find(1);
    await theirs(`owner = 'Bob'`); // by somebody who does not count versions
    expect(await errorOf(card.update({ phone: '2' }, { ifVersion: 1 }))).toMatchObject({ code: 'E_STALE_RECORD' });
  });

  test('costs nothing without a conflict, and five round trips with one', async () => {
    await countingTrips(database(), async (tripsOf) => {
      const card = await Merged.find(1);
      expect(await tripsOf(() => card.update({ phone: '2' }))).toBe(1);
      await theirs(`owner = 'Bob'`);
      // The write, the look, BEGIN with the row under a lock, the write, COMMIT.
      expect(await tripsOf(() => card.update({ phone: '3' }))).toBe(5);
    });
  });
});

describe('retry', () => {
  test.each(LEVELS)('at %s: the transaction that read the record runs again', async (isolation) => {
    const attempts: number[] = [];
    await db().transaction({ isolation }, async ({ attempt }) => {
      attempts.push(attempt);
      const card = await Retried.find(1);
      if (attempt === 1) await theirs('low = 3');
      await card.update({ low: card.low + 1 });
    });
    expect(attempts).toEqual([1, 2]);
    expect(await row()).toMatchObject({ low: 4, version: 2 });
  });

  test('by the save, and by the destroy', async () => {
    for (const write of [
      (card: Card) => card.update({ owner: 'Cid' }, { onConflict: 'retry' }),
      (card: Card) => card.destroy({ onConflict: 'retry' }),
    ]) {
      const attempts: number[] = [];
      await db().transaction({ isolation: 'read committed' }, async ({ attempt }) => {
        attempts.push(attempt);
        const card = await Card.find(1);
        if (attempt === 1) await theirs('low = low + 1');
        await write(card);
      });
      expect(attempts).toEqual([1, 2]);
    }
    expect(await row()).toBeUndefined();
  });

  test('a caught refusal does not stop it: the transaction runs again all the same', async () => {
    let attempts = 0;
    await db().transaction({ isolation: 'read committed' }, async ({ attempt }) => {
      attempts = attempt;
      const card = await Retried.find(1);
      if (attempt === 1) await theirs('low = 3');
      await card.update({ low: card.low + 1 }).catch(() => undefined);
    });
    expect(attempts).toBe(2);
    expect((await row()).low).toBe(4);
  });

  const STALE = { code: 'E_STALE_RECORD', recovery: 'reload' };
  test.each(LEVELS)(
    'at %s: a record that was read before fails as stale at once, since it is not read again',
    async (isolation) => {
      const card = await Retried.find(1);
      await theirs('low = 3');
      let attempts = 0;
      const body = async () => {
        attempts += 1;
        await card.update({ low: 1 });
      };
      expect(await errorOf(db().transaction({ isolation }, body))).toMatchObject(STALE);
      expect(attempts).toBe(1);
      expect(await errorOf(card.update({ low: 1 }))).toMatchObject(STALE);
      expect(await errorOf(card.destroy())).toMatchObject(STALE);
    },
  );

  test.each(LEVELS)(
    'at %s: so does one whose row the transaction has changed itself, or deleted',
    async (isolation) => {
      const inside = async (write: () => Promise<unknown>) => {
        let attempts = 0;
        const error = await errorOf(
          db().transaction({ isolation }, async () => {
            attempts += 1;
            const card = await Retried.find(1);
            await write();
            await card.update({ owner: 'Cid' });
          }),
        );
        expect(error).toMatchObject(STALE);
        expect(attempts).toBe(1);
      };
      await inside(() => Card.where({ id: 1 }).increment({ low: 1 }));
      await inside(() => db().transaction({ savepoint: true }, () => Card.where({ id: 1 }).increment({ low: 1 })));
      await inside(() => Card.where({ id: 1 }).deleteAll());
    },
  );

  test('the attempts are used up: the reason is told', async () => {
    const error = await errorOf(
      db().transaction({ isolation: 'read committed', attempts: 3 }, async () => {
        const card = await Retried.find(1);
        await theirs('low = low - 1');
        await card.update({ owner: 'Cid' });
      }),
    );
    expect(error).toMatchObject({ code: 'E_RETRIES_EXHAUSTED', details: { attempts: 3 } });
    expect(error.cause).toBeInstanceOf(StaleRecordError);
    expect(await row()).toMatchObject({ owner: 'Ann', low: -3 });
  });
});

describe('rows that were moved and not changed are not stale', () => {
  const places = async () => (await database().pool.query('select ctid from cards order by id')).rows as unknown[];

  test.each([
    ['vacuum full cards', true],
    ['cluster cards using cards_pkey', true],
    ['vacuum freeze cards', false],
  ])('%s', async (move, isMoving) => {
    const moved = async () => {
      const before = await places();
      await database().pool.query(move);
      if (isMoving) expect(await places()).not.toEqual(before);
    };
    await database().pool.query(`insert into cards select 0, owner, phone, low, high, settings, updated_at from cards`);
    await theirs('low = 1'); // leaves room before the rows
    const [saved, destroyed] = [await Card.find(1), await Card.find(0)];
    await moved();
    await saved.update({ low: 2 });
    await destroyed.destroy();
    const parent = await Parent.find(1);
    await moved();
    await parent.destroy();
    expect(await row()).toBeUndefined();
  });

  test('moved and changed is stale; so is one that was changed by the same transaction', async () => {
    const card = await Card.find(1);
    await theirs('low = 1');
    await database().pool.query('vacuum full cards');
    expect(await errorOf(card.update({ low: 2 }))).toMatchObject({ code: 'E_STALE_RECORD' });
    await db().transaction(async () => {
      await Card.where({ id: 1 }).updateAll({ low: 3 });
      const between = await Card.find(1);
      await Card.where({ id: 1 }).updateAll({ low: 4 });
      expect(await errorOf(between.update({ high: 8 }))).toMatchObject({ code: 'E_STALE_RECORD' });
    });
  });
});
