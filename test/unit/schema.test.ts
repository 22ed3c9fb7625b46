import { Decimal } from 'bellwether';
import type * as Bellwether from 'bellwether';
import { COLUMN_TYPE_NAMES, columnType, columnTypeOfClass } from '../../framework/schema/column-types';
import { camelCase, snakeCase } from '../../framework/schema/naming';

describe('names', () => {
  test.each([
    ['ownerName', 'owner_name'],
    ['htmlURL', 'html_url'],
    ['URLOfPage', 'url_of_page'],
    ['line2Text', 'line2_text'],
    ['id', 'id'],
    ['already_snake', 'already_snake'],
  ])('%s → %s', (property, name) => {
    expect(snakeCase(property)).toBe(name);
  });

  test('camelCase only lowers the first letter', () => expect(camelCase('BankAccount')).toBe('bankAccount'));
});

describe('the type that a property has by its TypeScript type', () => {
  test.each([
    [String, 'text'],
    [Number, 'integer'],
    [BigInt, 'bigint'],
    [Boolean, 'boolean'],
    [Date, 'timestamptz'],
    [Decimal, 'numeric'],
    [Buffer, 'bytea'],
    [Object, undefined],
    [Array, undefined],
    [undefined, undefined],
  ])('%p', (emitted, name) => {
    expect(columnTypeOfClass(emitted)?.name).toBe(name);
  });

  test('every type has its list', () => {
    expect(COLUMN_TYPE_NAMES.filter((name) => !name.endsWith('[]')).map((name) => `${name}[]`)).toEqual(
      COLUMN_TYPE_NAMES.filter((name) => name.endsWith('[]')),
    );
    expect(columnType('text[]')?.isFrozen).toBe(true);
  });
});

/** Declares models in a registry of their own, and gives the problems that the first use of one names. */
function problemsOf(
  declare: (bellwether: typeof Bellwether) => { new (): object; query(): unknown },
): readonly string[] {
  let problems: readonly string[] = [];
  jest.isolateModules(() => {
    // eslint-disable-next-line @typescript-eslint/no-require-imports
    const bellwether = require('bellwether') as typeof Bellwether;
    const model = declare(bellwether);
    const use = () => {
      try {
        model.query();
      } catch (error) {
        expect(error).toMatchObject({ code: 'E_INVALID_MODELS', recovery: 'fix-the-code' });
        return (error as InstanceType<typeof bellwether.InvalidModelsError>).details.problems as readonly string[];
      }
      return [];
    };
    problems = use();
    expect(use()).toEqual(problems); // trying again does not help
  });
  return problems;
}

describe('declarations are checked together', () => {
  test('versions and conflicts', () => {
    const problems = problemsOf(({ Model, Table, Column, Id, Version }) => {
      @Table('versions', { onConflict: 'ignore' as never })
      class Versions extends Model {
        @Id() declare readonly id: bigint;
        @Version() declare readonly one: number;
        @Version('text' as never) declare readonly other: number;
        @Version() @Column() declare readonly both: bigint;
      }
      return Versions;
    });
    expect(problems).toEqual([
      'Versions.both: is declared twice.',
      'Versions: onConflict is one of fail, retry, merge, not ignore.',
      'Versions.other: is the second @Version; one counts for the whole row.',
      'Versions.other: is the @Version and cannot be text.',
      'Versions.both: is the second @Version; one counts for the whole row.',
    ]);
  });

  test('associations through others', () => {
    const problems = problemsOf(({ Model, Table, Column, Id, BelongsTo, HasMany }) => {
      @Table('tags')
      class Tag extends Model {
        @Id() declare readonly id: bigint;
      }
      @Table('taggings')
      class Tagging extends Model {
        @Id() declare readonly id: bigint;
        @BelongsTo(() => Thing) declare thing: Bellwether.BelongsTo<Thing>;
        @BelongsTo(() => Tag) declare tag: Bellwether.BelongsTo<Tag>;
        @BelongsTo(() => Tag) declare second: Bellwether.BelongsTo<Tag>;
      }
      @Table('things')
      class Thing extends Model {
        @Id() declare readonly id: bigint;
        @HasMany(() => Tagging) declare taggings: Bellwether.HasMany<Tagging>;
        @HasMany(() => Tag, { through: 'taggings' }) declare either: Bellwether.HasManyThrough<Tag>;
        @HasMany(() => Thing, { through: 'taggings', source: 'tag' as never })
        declare other: Bellwether.HasManyThrough<Thing>;
        @HasMany(() => Tag, { through: 'nothing' as 'taggings' }) declare lost: Bellwether.HasManyThrough<Tag>;
        @HasMany(() => Tag, { through: 'taggings', source: 'tag' }) @Column('text') declare twice: never;
        @HasMany(() => undefined as never, { through: 'taggings' }) declare early: Bellwether.HasManyThrough<Tag>;
        @HasMany(() => Tag, { through: 'taggings', source: 'second' }) declare reload: never;
      }
      return Thing;
    });
    expect(problems).toEqual([
      'Thing.either: Tagging leads to Tag by tag and second; say which by source.',
      'Thing.other: Tagging has no association to Thing called "tag".',
      'Thing.lost: goes through "nothing", which is no association of Thing.',
      'Thing.twice: is both an association and an attribute.',
      'Thing.early: its model is not there yet; give it as () => Model.',
      'Thing.reload: is a name that every record uses itself; choose another, and name the column.',
    ]);
  });

  test('every mistake of every model is named at once', () => {
    const problems = problemsOf(({ Model, Table, Column, Id, Virtual, Unique, Check, BelongsTo, HasMany }) => {
      class Tableless extends Model {
        @Id() declare readonly id: bigint;
      }
      @Table('keyless')
      class Keyless extends Model {
        @Column() declare name: string;
      }
      @Table('two_keys')
      @Table('two_tables')
      class TwoKeys extends Model {
        @Id() declare readonly id: bigint;
        @Id() declare readonly code: string;
      }
      @Table('wrong')
      class Wrong extends Model {
        @Id() declare readonly id: bigint;
        @Column('money' as never) declare unknownType: string;
        @Column() declare noType: string | null;
        @Column('enum') declare noValues: string;
        @Column({ generated: true, default: 'x' }) declare both: string;
        @Column() declare total: number;
        @Column({ name: 'total' }) declare sameColumn: number;
        @Column() @Virtual() declare twoKinds: string;
        @Unique() declare notAColumn: string;
        @Check('x') declare norThis: string;
        @Unique({ scope: 'nowhere' as never }) @Column() declare scoped: string;
        @BelongsTo(() => Tableless) declare parent: Bellwether.BelongsTo<Tableless>;
        @BelongsTo(() => undefined as unknown as typeof Tableless) declare early: Bellwether.BelongsTo<Tableless>;
        @HasMany(() => Keyless) declare children: Bellwether.HasMany<Keyless>;
        @Column('text') declare keyedId: string;
        @BelongsTo(() => Sound) declare keyed: Bellwether.BelongsTo<Sound>;
        @Column() declare then: string;
      }
      @Table('sound')
      class Sound extends Model {
        @Id() declare readonly id: bigint;
      }
      void [TwoKeys, Wrong];
      return Sound;
    });
    const expected = [
      'Keyless: has no @Id.',
      'TwoKeys: has more than one @Table.',
      'TwoKeys: has more than one @Id (id, code).',
      'Wrong.unknownType: has the unknown column type "money"',
      "Wrong.noType: the compiler tells no usable type for it; name the column's type, as in @Column('jsonb').",
      'Wrong.noValues: is an enum; list its values, as in { values: ["open", "closed"] } (undefined ones may come from a circle of imports).',
      'Wrong.both: is generated by the database and cannot have a default.',
      'Wrong.earlyId: its model is not there yet; give it as () => Model.',
      'Wrong.sameColumn: names the column "total", which another property names too.',
      'Wrong.twoKinds: is both @Column and @Virtual.',
      'Wrong.notAColumn: @Unique names "notAColumn", which is no column.',
      'Wrong.scoped: @Unique names "nowhere", which is no column.',
      'Wrong.norThis: @Check names "norThis", which is no column.',
      'Wrong.parent: Tableless has no @Table.',
      'Wrong.early: its model is not there yet; give it as () => Model.',
      'Wrong.children: Keyless has no attribute "wrongId" to hold the key.',
      "Wrong.keyed: Wrong.keyedId is text, but Sound's @Id is bigint.",
      'Wrong.then: is a name that every record uses itself; choose another, and name the column.',
    ];
    expect(problems.map((problem) => problem.replace(/; known are .*/s, '')).sort()).toEqual(expected.sort());
  });

  test('a model without @Table cannot be queried, though the one that it extends has a table', () => {
    const problems = problemsOf(({ Model, Table, Id }) => {
      @Table('base')
      class Base extends Model {
        @Id() declare readonly id: bigint;
      }
      class Tableless extends Base {}
      return Tableless;
    });
    expect(problems).toEqual(['Tableless: has no @Table, so no table holds its records.']);
  });

  test('a nullable key, a property declared twice, and an association that is an attribute too', () => {
    const problems = problemsOf(({ Model, Table, Column, Id, HasOne }) => {
      @Table('models')
      class Odd extends Model {
        @Id({ nullable: true }) declare readonly id: bigint;
        @Column() @Column() declare name: string;
        @HasOne(() => Odd) @Column('text') declare twin: Bellwether.HasOne<Odd> & string;
      }
      return Odd;
    });
    expect(problems).toEqual([
      'Odd.id: is the @Id and cannot be nullable.',
      'Odd.name: is declared twice.',
      'Odd.twin: is both an association and an attribute.',
    ]);
  });

  test('rules in SQL over what a counter keeps in slots', () => {
    const problems = problemsOf(({ Model, Table, Column, Counter, Id, Invariant }) => {
      @Table('shows')
      @Invariant<Show>('in having', { over: 'hall', having: 'sum("free_seats") >= 5' })
      @Invariant<Show>('in where', { over: 'hall', having: 'count(*) > 1', where: 'free_seats>0' })
      @Invariant<Show>('over it', { over: 'freeSeats', having: 'count(*) < 9' })
      @Invariant<Show>('in code', { over: 'hall', brokenBy: () => Promise.resolve([]) })
      @Invariant<Show>('of others', { over: 'hall', having: 'sum(plain) >= 0 and count(free_seats_in_all) > 0' })
      class Show extends Model {
        @Id() declare readonly id: bigint;
        @Column('integer') declare hall: number;
        @Column('integer') @Counter() declare plain: number;
        @Column('integer') @Counter({ slots: 4 }) declare freeSeats: number;
      }
      return Show;
    });
    const refused = (name: string) =>
      `Show.freeSeats: the invariant "${name}" cannot see its slots; read records in brokenBy or holds, or have none.`;
    expect(problems).toEqual(['over it', 'in where', 'in having'].map(refused));
  });

  test('a key of a type whose values are objects', () => {
    const problems = problemsOf(({ Model, Table, Id }) => {
      @Table('moments')
      class Moment extends Model {
        @Id() declare readonly id: Date;
      }
      return Moment;
    });
    expect(problems).toEqual([
      'Moment.id: is the @Id and cannot be timestamptz; a key is one of smallint, integer, bigint, text, varchar, ' +
        'citext, uuid, date, enum.',
    ]);
  });

  test('an abstract model declares for those that extend it', () => {
    const problems = problemsOf(({ Model, Table, Column, Id }) => {
      abstract class Base extends Model {
        @Id() declare readonly id: bigint;
        @Column('nonsense' as never) declare wrong: string;
      }
      @Table('one')
      class One extends Base {}
      return One;
    });
    expect(problems.map((problem) => problem.slice(0, 40))).toEqual(['One.wrong: has the unknown column type "']);
  });
});
