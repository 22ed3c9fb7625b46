import {
  BeforeSave,
  BelongsTo,
  Check,
  Column,
  Decimal,
  HasMany,
  HasOne,
  Id,
  Model,
  Table,
  Unique,
  Validates,
} from 'bellwether';
import type {
  AssociationName,
  AtLeast,
  AttributeName,
  Changes,
  Database,
  HasManyThrough,
  Query,
  Transaction,
} from 'bellwether';

// The compiler is what is tested here: `npx tsc --noEmit` fails when a line marked as an error compiles, or when two
// types that are said to be equal are not. Nothing in the functions is run.

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Expect<T extends true> = T;
const typesOnly = (_cases: () => unknown): void => expect(typeof _cases).toBe('function');

@Table('branches')
class Branch extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare name: string;
  @HasMany(() => Account) declare accounts: HasMany<Account>;
}
@Table('accounts')
class Account extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare owner: string;
  @Column() declare balance: bigint;
  @Column('integer', { nullable: true }) declare visits: number | null;
  @Column('numeric', { nullable: true }) declare rate: Decimal | null;
  @Column('text[]') declare tags: readonly string[];
  @Column('jsonb') declare settings: { theme: string };
  @Column('enum', { values: ['open', 'shut'] }) declare state: 'open' | 'shut';
  @BelongsTo(() => Branch) declare branch: BelongsTo<Branch>;
  @BelongsTo(() => Account, { optional: true }) declare parent: BelongsTo<Account | null>;
  @HasOne(() => Card) declare card: HasOne<Card>;
  async close(): Promise<void> {}
}
@Table('cards')
class Card extends Model {
  @Id('uuid') declare readonly id: string;
  @BelongsTo(() => Account) declare account: BelongsTo<Account>;
}
@Table('notes')
class Note extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => [Branch, Account], { polymorphic: true }) declare subject: BelongsTo<Branch | Account>;
}
declare const account: Account;
declare const branch: Branch;
declare const card: Card;

export type Names = [
  Expect<Equal<AttributeName<Account>, 'id' | 'owner' | 'balance' | 'visits' | 'rate' | 'tags' | 'settings' | 'state'>>,
  Expect<Equal<AssociationName<Account>, 'branch' | 'parent' | 'card'>>,
  Expect<Equal<Changes<Branch>['name'], { readonly before: string; readonly after: string } | undefined>>,
];

test('conditions', () =>
  typesOnly(() => {
    void Account.where({ owner: 'Ann', balance: 1n, visits: null, branch, tags: ['a'], state: ['open', 'shut'] });
    void Account.where({ balance: [1n, 2n], branch: [branch, 2n], parent: null });
    void Account.where('visits', 'is', null).where('owner', 'like', 'A%').where('balance', 'in', [1n]);
    void Account.where((is) => is.or([is('balance', '>', 1n), is.not(is({ owner: 'Ann' }))]));
    // @ts-expect-error no such attribute
    void Account.where({ nonsense: 1 });
    // @ts-expect-error a bigint is no number
    void Account.where({ balance: 1 });
    // @ts-expect-error undefined is no condition
    void Account.where({ owner: undefined });
    // @ts-expect-error never null
    void Account.where({ owner: null });
    // @ts-expect-error not one of the values
    void Account.where({ state: 'ajar' });
    // @ts-expect-error a method is no attribute
    void Account.where({ close: null });
    // @ts-expect-error what every record has is no attribute
    void Account.where({ isNew: true });
    // @ts-expect-error a has-one has its key on the other side
    void Account.where({ card: 'x' });
    // @ts-expect-error a branch's key is a bigint
    void Account.where({ branch: '1' });
    // @ts-expect-error a branch is no card
    void Card.where({ account: branch });
    // @ts-expect-error no such attribute
    void Account.where('nonsense', '=', 1);
    // @ts-expect-error no such operator
    void Account.where('balance', '<>', 1n);
    // @ts-expect-error wrong value
    void Account.where('balance', '>', '1');
    // @ts-expect-error nothing is greater than null
    void Account.where('visits', '>', null);
    // @ts-expect-error in needs a list
    void Account.where('balance', 'in', 1n);
    // @ts-expect-error is compares with null only
    void Account.where('visits', 'is', 1);
    // @ts-expect-error like compares texts
    void Account.where('balance', 'like', '1%');
    // @ts-expect-error wrong value inside a function
    void Account.where((is) => is('balance', '=', 'x'));
    // @ts-expect-error a function must give a condition
    void Account.where(() => true);
    // @ts-expect-error the key of an account is a bigint
    void Account.find('1');
    // @ts-expect-error the key of a card is text
    void Card.find(1n);
    // @ts-expect-error no such attribute
    void Account.findBy({ nonsense: 1 });
  }));

test('order, pluck, figures and writes', () =>
  typesOnly(async () => {
    const plucked = await Account.pluck('balance');
    const several = await Account.order('id', 'desc').pluck('id', 'visits');
    const sums = [await Account.query().sum('balance'), await Account.query().sum('visits')] as const;
    const rates = [await Account.query().sum('rate'), await Account.query().average('visits')] as const;
    const most = await Account.query().maximum('visits');
    void Account.where({ id: 1n }).increment({ balance: 1n, visits: 1, rate: new Decimal(1) });
    void Account.where({ id: 1n }).updateAll({ owner: 'Ann', visits: null });
    // @ts-expect-error no such attribute
    void Account.order('nonsense');
    // @ts-expect-error a method is no attribute
    void Account.order('close');
    // @ts-expect-error an association is no attribute
    void Account.pluck('branch');
    // @ts-expect-error no such direction
    void Account.order('id', 'up');
    // @ts-expect-error text cannot be added up
    void Account.query().sum('owner');
    const counts: Map<string, number> = await Account.query().countBy('owner');
    void counts;
    // @ts-expect-error equal decimals are not the same key of a Map
    void Account.query().countBy('rate');
    // @ts-expect-error lists have no average
    void Account.query().average('tags');
    // @ts-expect-error text cannot be increased
    void Account.everyRow().increment({ owner: 'x' });
    // @ts-expect-error a bigint grows by bigints
    void Account.everyRow().decrement({ balance: 1 });
    // @ts-expect-error nor by null
    void Account.everyRow().increment({ visits: null });
    // @ts-expect-error never null
    void Account.everyRow().updateAll({ owner: null });
    // @ts-expect-error no such lock
    void Account.lock('for ever');
    return [plucked, several, sums, rates, most] satisfies [
      bigint[],
      [bigint, number | null][],
      readonly [bigint, number],
      readonly [Decimal, Decimal | undefined],
      number | undefined,
    ];
  }));

test('making and changing records', () =>
  typesOnly(() => {
    void Account.create({ owner: 'Ann', branch, parent: null, state: 'open', settings: { theme: 'dark' } });
    void Account.new({ branch: 1n, parent: account }).assign({ visits: 1 }).update({ owner: 'Ben' });
    // @ts-expect-error no such attribute
    void Account.create({ nonsense: 1 });
    // @ts-expect-error wrong value
    void Account.create({ owner: 1 });
    // @ts-expect-error wrong value inside JSON
    void Account.create({ settings: { theme: 1 } });
    // @ts-expect-error not one of the values
    void Account.new({ state: 'ajar' });
    // @ts-expect-error children are not assigned
    void Branch.create({ accounts: [] });
    // @ts-expect-error a method is no attribute
    void account.update({ close: async () => {} });
    // @ts-expect-error what every record has is no attribute
    void account.assign({ isNew: false });
    // @ts-expect-error the key of a record is not assigned
    account.id = 2n;
    // @ts-expect-error an association is assigned by its handle
    account.branch = branch;
    // @ts-expect-error only a parent that may be missing can be taken away
    account.branch.set(null);
    // @ts-expect-error of another model
    account.branch.set(account);
    void branch.accounts.new({ owner: 'Ann' });
    // @ts-expect-error wrong value
    void branch.accounts.create({ owner: 1 });
  }));

test('polymorphic associations', () =>
  typesOnly(async () => {
    void Note.create({ subject: branch });
    void Note.where({ subject: [branch, account] });
    const [note] = await Note.include('subject');
    // @ts-expect-error a key alone does not say of which model it is
    void Note.create({ subject: 1n });
    // @ts-expect-error nor in a condition
    void Note.where({ subject: 1n });
    // @ts-expect-error a card is neither
    void Note.create({ subject: card });
    class Wrong extends Model {
      // @ts-expect-error one of the models is left out
      @BelongsTo(() => [Branch, Account], { polymorphic: true }) declare a: BelongsTo<Branch>;
      // @ts-expect-error optional, but never null
      @BelongsTo(() => ({ b: Branch }), { polymorphic: true, optional: true }) declare b: BelongsTo<Branch>;
      // @ts-expect-error several models without saying so
      @BelongsTo(() => [Branch, Account]) declare c: BelongsTo<Branch | Account>;
      // @ts-expect-error the other model has no such association
      @HasMany(() => Note, { as: 'nonsense' }) declare d: HasMany<Note>;
      @HasMany(() => Note, { as: 'subject' }) declare e: HasMany<Note>;
    }
    return [note!.subject.value, Wrong] satisfies [Branch | Account, typeof Wrong];
  }));

test('associations through others', () =>
  typesOnly(async () => {
    class City extends Model {
      @HasMany(() => Branch) declare branches: HasMany<Branch>;
      @HasMany(() => Account, { through: 'branches', source: 'accounts' }) declare a: HasManyThrough<Account>;
      @HasMany(() => Account, { through: 'branches' }) declare b: HasManyThrough<Account>;
      // @ts-expect-error nothing of that name leads on
      @HasMany(() => Account, { through: 'branches', source: 'nonsense' }) declare c: HasManyThrough<Account>;
      // @ts-expect-error it leads to another model
      @HasMany(() => Card, { through: 'branches', source: 'accounts' }) declare d: HasManyThrough<Card>;
      // @ts-expect-error no such association to go through
      @HasMany(() => Account, { through: 'nonsense' }) declare e: HasManyThrough<Account>;
      // @ts-expect-error records at the far end cannot be made through it
      @HasMany(() => Account, { through: 'branches' }) declare f: HasMany<Account>;
    }
    const city = await City.include('a').firstOrFail();
    const narrowed: Query<Account> = city.a.query().where({ owner: 'Ann' });
    // @ts-expect-error it is not loaded
    void city.b.value;
    return [[...city.a], city.a.value, narrowed] satisfies [Account[], readonly Account[], unknown];
  }));

test('included associations', () =>
  typesOnly(async () => {
    const [plain] = await Account.query();
    const [loaded] = await Account.include('branch', 'parent').where({ id: 1n }).include('card').limit(1);
    const [owner] = await Branch.include('accounts');
    const found = await Account.include('branch').find(1n);
    // @ts-expect-error not included
    void plain!.branch.value;
    // @ts-expect-error not included
    void found.card.value;
    // @ts-expect-error not included
    void [...(await Branch.find(1n)).accounts];
    // @ts-expect-error the included account's own branch is not
    void loaded!.parent.value?.branch.value;
    // @ts-expect-error no such association
    void Account.include('nonsense');
    // @ts-expect-error an attribute is no association
    void Account.include('owner');
    // @ts-expect-error a parent that may be missing is checked first
    void loaded!.parent.value.owner;
    return [
      loaded!.branch.value,
      loaded!.parent.value,
      loaded!.card.value,
      owner!.accounts.value,
      [...owner!.accounts],
      owner!.accounts.length,
      await plain!.branch.load(),
      found.branch.value.name,
    ] satisfies [Branch, Account | null, Card | null, readonly Account[], Account[], number, Branch, string];
  }));

test('kysely', () =>
  typesOnly(async () => {
    const rows = await Account.query().kysely().select(['self.balance', 'self.visits']).execute();
    const again: Query<Account> = Account.query().kysely((self) => self.select('self.id'));
    // @ts-expect-error no such column
    void Account.query().kysely().select('self.nonsense');
    return [rows, again] satisfies [{ balance: bigint; visits: number | null }[], Query<Account>];
  }));

declare const db: Database;
async function settle(_tx: Transaction<AtLeast<'repeatable read'>>): Promise<void> {}

test('transactions', () =>
  typesOnly(() => {
    void db.transaction({ isolation: 'serializable' }, (tx) => settle(tx));
    void db.transaction({ isolation: 'repeatable read' }, (tx) => settle(tx));
    void db.snapshot((tx) => settle(tx));
    // @ts-expect-error a weaker level
    void db.transaction({ isolation: 'read committed' }, (tx) => settle(tx));
    // @ts-expect-error the level is not known
    void db.transaction((tx) => settle(tx));
    // @ts-expect-error no such level
    void db.transaction({ isolation: 'serialisable' }, async () => {});
    // @ts-expect-error a transaction cannot be forged
    void settle({ isolation: 'serializable', id: 1, attempt: 1, isOpen: true, afterCommit() {}, afterRollback() {} });
  }));

test('decorators compile only on properties that can hold what they declare', () =>
  typesOnly(() => {
    class Wrong extends Model {
      // @ts-expect-error a bigint column on text
      @Column('bigint') declare a: string;
      // @ts-expect-error a nullable column on a property that is never null
      @Column('text', { nullable: true }) declare b: string;
      // @ts-expect-error a list on a scalar
      @Column('text[]') declare c: string;
      // @ts-expect-error values that the property's type does not name
      @Column('enum', { values: ['open', 'ajar'] }) declare d: 'open' | 'shut';
      // @ts-expect-error no such type
      @Column('money') declare e: string;
      // @ts-expect-error a uuid is text
      @Id('uuid') declare f: bigint;
      // @ts-expect-error a key is no moment
      @Id('timestamptz') declare f2: Date;
      // @ts-expect-error no such option
      @Column({ nulable: true }) declare g: string;
      // @ts-expect-error an association on an attribute
      @BelongsTo(() => Branch) declare h: bigint;
      // @ts-expect-error of another model
      @BelongsTo(() => Branch) declare i: BelongsTo<Card>;
      // @ts-expect-error many on one
      @HasMany(() => Branch) declare j: HasOne<Branch>;
      // @ts-expect-error no such dependent
      @HasMany(() => Branch, { dependent: 'explode' }) declare k: HasMany<Branch>;
      // @ts-expect-error a scope that is no attribute
      @Unique({ scope: 'nonsense' }) @Column() declare l: string;
      // @ts-expect-error one of several that is no attribute
      @Unique({ scope: ['balance', 'k'] }) @Column() declare l2: string;
      // @ts-expect-error what every record has is no attribute
      @Unique({ scope: 'isNew' }) @Column() declare l3: string;
      @Unique({ scope: ['l', 'g'], nulls: 'not distinct' }) @Column() declare l4: string;
      // @ts-expect-error nulls are distinct or not
      @Unique({ nulls: 'same' }) @Column() declare l5: string;
      // @ts-expect-error a rule of another model
      @Check('m > 0', { holds: (card: Card) => card.isNew }) @Column() declare m: number;
      // @ts-expect-error a callback takes nothing
      @BeforeSave() n(_given: string): void {}
      // @ts-expect-error a condition on another model
      @BeforeSave({ if: (other: Branch) => other.name === '' }) o(): void {}
      // @ts-expect-error a validation gives nothing
      @Validates() p(): boolean {
        return true;
      }
      // @ts-expect-error a callback is a method
      @BeforeSave() declare q: string;
      // @ts-expect-error an optional parent on a property that always has one
      @BelongsTo(() => Branch, { optional: true }) declare r: BelongsTo<Branch>;
    }
    return Wrong;
  }));
