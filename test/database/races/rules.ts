import { BeforeCreate, BelongsTo, Column, HasMany, Id, Model, Table, Validates, ValidationError } from 'bellwether';
import type { Database, IsolationLevel } from 'bellwether';
import { registerDecorator } from 'class-validator';

/** Rules that nothing in the database holds: they count, look for what is not there, or read and then write. */
export const SCHEMA = `
  create table rooms (id bigint primary key, name text not null, is_open bool not null default true);
  create table bookings (id bigint generated always as identity primary key, room_id bigint not null references rooms, guest text not null);
  create table stays (id bigint generated always as identity primary key, room_id bigint not null, first_day int not null, last_day int not null);
  create table doctors (id bigint primary key, ward int not null, is_on_call bool not null);
  create table accounts (id bigint primary key, balance bigint not null);
  create table withdrawals (id bigint generated always as identity primary key, account_id bigint not null, amount bigint not null);
  create table visits (id bigint generated always as identity primary key);
  create table vouchers (id bigint generated always as identity primary key, code text not null);
`;

@Table('rooms')
export class Room extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare name: string;
  @Column() declare isOpen: boolean;
  @HasMany(() => Booking) declare bookings: HasMany<Booking>;
}

@Table('bookings')
export class Booking extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => Room) declare room: BelongsTo<Room>;
  @Column() declare roomId: bigint;
  @Column() declare guest: string;

  @Validates()
  async atMostThree() {
    const room = await this.room.load();
    if (!room.isOpen) this.errors.add('room', 'is shut');
    if ((await Booking.where({ roomId: this.roomId }).count()) >= 3) this.errors.add('room', 'is full');
  }
}

@Table('stays')
export class Stay extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare roomId: bigint;
  @Column('integer') declare firstDay: number;
  @Column('integer') declare lastDay: number;

  @Validates()
  async overlapsNone() {
    const others = Stay.where({ roomId: this.roomId })
      .where('firstDay', '<=', this.lastDay)
      .where('lastDay', '>=', this.firstDay);
    if (await others.exists()) this.errors.add('firstDay', 'overlaps');
  }
}

@Table('doctors')
export class Doctor extends Model {
  @Id() declare readonly id: bigint;
  @Column('integer') declare ward: number;
  @Column() declare isOnCall: boolean;

  @Validates({ on: 'update' })
  async somebodyStays() {
    const others = Doctor.where({ ward: this.ward, isOnCall: true }).where('id', '!=', this.id);
    if (!this.isOnCall && !(await others.exists())) this.errors.add('isOnCall', 'nobody else is');
  }
}

@Table('accounts')
export class Account extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare balance: bigint;
}

@Table('withdrawals')
export class Withdrawal extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare accountId: bigint;
  @Column() declare amount: bigint;

  @BeforeCreate()
  async takeFromAccount() {
    const account = await Account.find(this.accountId);
    if (account.balance < this.amount) {
      this.errors.add('amount', 'is not covered');
      throw new ValidationError('Withdrawal', this.errors.all);
    }
    await account.update({ balance: account.balance - this.amount });
  }
}

/** A rule of class-validator's that reads. */
function RareCode() {
  return (prototype: object, propertyName: string): void =>
    registerDecorator({
      name: 'rareCode',
      target: prototype.constructor,
      propertyName,
      async: true,
      options: { message: 'is used up' },
      validator: { validate: async (code: string) => (await Voucher.where({ code }).count()) < 3 },
    });
}

@Table('vouchers')
export class Voucher extends Model {
  @Id() declare readonly id: bigint;
  @Column() @RareCode() declare code: string;
}

export interface Tally {
  accepted: number;
  /** What the refused were told. */
  refused: Record<string, number>;
  /** Anything else that a caller was told. */
  other: string[];
}

/** One rule under attack: what a caller does, what it is told when refused, and how many may get through. */
export interface Attack {
  readonly rule: string;
  readonly reset: string;
  readonly attempt: (caller: number) => Promise<unknown>;
  readonly message: string;
  /** Of as many callers. */
  readonly legal: (callers: number) => number;
  /** Counts what must not be. */
  readonly violations: string;
}

export const ATTACKS: readonly Attack[] = [
  {
    rule: 'at most three bookings a room',
    reset: `truncate bookings, rooms; insert into rooms values (1, 'blue'), (2, 'red')`,
    attempt: (caller) => Booking.create({ room: BigInt(1 + (caller % 2)), guest: `guest ${caller}` }),
    message: 'is full',
    legal: () => 6,
    violations: 'select room_id from bookings group by room_id having count(*) > 3',
  },
  {
    rule: 'no two stays overlap',
    reset: 'truncate stays',
    attempt: (caller) =>
      Stay.create({ roomId: 1n, firstDay: (caller % 4) * 10 + (caller % 3), lastDay: (caller % 4) * 10 + 5 }),
    message: 'overlaps',
    legal: () => 4,
    violations:
      'select from stays a join stays b on a.id < b.id and a.room_id = b.room_id and a.first_day <= b.last_day and a.last_day >= b.first_day',
  },
  {
    rule: 'somebody in each ward stays on call',
    reset: 'truncate doctors; insert into doctors select n, n / 8, true from generate_series(0, 63) n',
    attempt: async (caller) => (await Doctor.find(BigInt(caller % 64))).update({ isOnCall: false }),
    message: 'nobody else is',
    legal: (callers) => callers - callers / 8,
    violations: 'select ward from doctors group by ward having not bool_or(is_on_call)',
  },
  {
    rule: 'no account is overdrawn',
    reset: 'truncate accounts, withdrawals; insert into accounts values (1, 100), (2, 100)',
    attempt: (caller) => Withdrawal.create({ accountId: BigInt(1 + (caller % 2)), amount: 10n }),
    message: 'is not covered',
    legal: (callers) => Math.min(callers, 20),
    violations: `select from accounts a where balance <> 100 - (select coalesce(sum(amount), 0) from withdrawals where account_id = a.id) or balance < 0`,
  },
  {
    rule: 'a code is used three times at most',
    reset: 'truncate vouchers',
    attempt: () => Voucher.create({ code: 'SPRING' }),
    message: 'is used up',
    legal: () => 3,
    violations: 'select code from vouchers group by code having count(*) > 3',
  },
];

/** A model without rules. */
@Table('visits')
class Visit extends Model {
  @Id() declare readonly id: bigint;
}

/** How a caller comes to the save: by itself, or in a transaction that has read or written already. */
export type Way = 'alone' | 'after a read' | 'after a write';

const BEFORE: Readonly<Record<Way, () => PromiseLike<unknown>>> = {
  alone: () => Promise.resolve(),
  'after a read': () => Room.count(),
  'after a write': () => Visit.create({}),
};

/** All callers at once, by turns at each of the levels. */
export async function race(
  db: Database,
  { attempt }: Attack,
  callers: readonly number[],
  way: Way,
  levels: readonly IsolationLevel[],
): Promise<Tally> {
  const tally: Tally = { accepted: 0, refused: {}, other: [] };
  const once = (caller: number) =>
    way === 'alone' && levels.length === 1
      ? attempt(caller)
      : db.transaction({ isolation: levels[caller % levels.length]! }, async () => {
          await BEFORE[way]();
          await attempt(caller);
        });
  await Promise.all(
    callers.map(async (caller) => {
      try {
        await db.use(() => once(caller));
        tally.accepted += 1;
      } catch (error) {
        if (!(error instanceof ValidationError)) return void tally.other.push(String(error));
        const [{ message } = { message: 'nothing' }] = error.problems;
        tally.refused[message] = (tally.refused[message] ?? 0) + 1;
      }
    }),
  );
  return tally;
}
