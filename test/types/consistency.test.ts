import { BelongsTo, checkInvariants, Column, HasMany, Id, Invariant, LockedBy, Model, Table } from 'bellwether';

// The compiler is what is tested here; nothing in the functions is run.

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Expect<T extends true> = T;
const typesOnly = (_cases: () => unknown): void => expect(typeof _cases).toBe('function');

@Table('wards')
class Ward extends Model {
  @Id() declare readonly id: bigint;
  @HasMany(() => Doctor) declare doctors: HasMany<Doctor>;
}

@Table('doctors')
class Doctor extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => Ward) declare ward: BelongsTo<Ward>;
  @Column() declare wardId: bigint;
  @Column('text', { nullable: true }) declare shift: string | null;
  @Column() declare onCall: boolean;
}

test('an invariant is over attributes of its model, and says one rule', () =>
  typesOnly(() => {
    Invariant<Doctor>('whole', { having: 'count(*) < 9' });
    Invariant<Doctor>('one', { over: 'wardId', having: 'count(*) < 9', where: 'on_call', evenEmpty: true });
    Invariant<Doctor>('several', { over: ['wardId', 'shift'], having: 'count(*) < 9' });
    Invariant<Ward>('by an association', { over: 'id', touchedBy: 'doctors', having: 'true' });
    // @ts-expect-error no attribute
    Invariant<Doctor>('wrong', { over: 'ward', having: 'true' });
    // @ts-expect-error no attribute
    Invariant<Doctor>('wrong', { over: ['wardId', 'wrong'], having: 'true' });
    // @ts-expect-error no association
    Invariant<Ward>('wrong', { over: 'id', touchedBy: 'id', having: 'true' });
    // @ts-expect-error no rule
    Invariant<Doctor>('wrong', { over: 'wardId' });
    // @ts-expect-error two rules
    Invariant<Doctor>('wrong', { over: 'wardId', having: 'true', brokenBy: (ids) => Promise.resolve(ids) });
    // @ts-expect-error of the whole table there are no groups to name
    Invariant<Doctor>('wrong', { brokenBy: () => Promise.resolve([]) });
  }));

test('a rule in code is handed the values of its groups', () =>
  typesOnly(() => {
    Invariant<Doctor>('one', {
      over: 'wardId',
      brokenBy: (ids) => {
        type _Given = Expect<Equal<typeof ids, readonly bigint[]>>;
        return Promise.resolve(ids);
      },
    });
    Invariant<Doctor>('nullable', {
      over: 'shift',
      brokenBy: (shifts) => {
        type _Given = Expect<Equal<typeof shifts, readonly string[]>>;
        return Promise.resolve(shifts);
      },
    });
    Invariant<Doctor>('several', {
      over: ['wardId', 'onCall'],
      brokenBy: (groups) => {
        type _Given = Expect<Equal<(typeof groups)[number]['wardId'], bigint>>;
        return Promise.resolve(groups);
      },
    });
    Invariant<Doctor>('whole', { holds: () => Promise.resolve(true) });
    // @ts-expect-error groups of another type
    Invariant<Doctor>('wrong', { over: 'wardId', brokenBy: () => Promise.resolve(['one']) });
  }));

test('they decorate their own model only', () =>
  typesOnly(() => {
    Invariant<Doctor>('one', { having: 'true' })(Doctor);
    LockedBy<Doctor>('ward')(Doctor);
    // @ts-expect-error another model
    Invariant<Doctor>('one', { having: 'true' })(Ward);
    // @ts-expect-error another model
    LockedBy<Doctor>('ward')(Ward);
  }));

test('a model is locked by what it belongs to', () =>
  typesOnly(() => {
    // @ts-expect-error an attribute
    LockedBy<Doctor>('wardId');
    // @ts-expect-error what belongs to it
    LockedBy<Ward>('doctors');
  }));

test('checkInvariants takes attributes of the model', () =>
  typesOnly(() => {
    checkInvariants(Doctor, { wardId: 1n });
    // @ts-expect-error the value of another type
    checkInvariants(Doctor, { wardId: 1 });
  }));
