import { Column, Counter, Id, Invariant, InvariantViolationError, Model, Table } from 'bellwether';
import { setUp } from '../transaction/support';

@Table('shows')
@Invariant<Show>('seats for the house', {
  over: 'hall',
  async brokenBy(halls) {
    const left = await Promise.all(halls.map((hall) => Show.where({ hall }).sum('seats')));
    return halls.filter((_, index) => left[index]! < RESERVED);
  },
})
class Show extends Model {
  @Id('integer') declare readonly id: number;
  @Column('integer') declare hall: number;
  @Column('integer') @Counter({ slots: 4 }) declare seats: number;
}

const RESERVED = 30;

const { database, open } = setUp(`
  create table shows (id int primary key, hall int not null, seats int not null check (seats >= 0));
  create table shows_seats_slots (owner_id int not null references shows (id) on delete cascade, slot int not null,
    amount bigint not null check (amount >= 0), primary key (owner_id, slot)) with (fillfactor = 50);
`);

test.each(['read committed', 'repeatable read', 'serializable'] as const)(
  'a rule in code over what is kept in slots holds at %s: all that it allows are sold, and no more',
  async (isolation) => {
    await database().pool.query(`truncate shows, shows_seats_slots; insert into shows values (1, 1, 0), (2, 1, 0);
      insert into shows_seats_slots select id, slot, 10 from shows, generate_series(0, 3) slot`);
    const pool = await open({ poolSize: 16 });
    const sell = (index: number) =>
      pool
        .transaction({ isolation }, () => Show.decrement(1 + (index % 2), 'seats', 1))
        .then(
          () => 1,
          (error: unknown) => {
            if (error instanceof InvariantViolationError) return 0;
            throw error;
          },
        );
    const sold = await pool.use(() => Promise.all(Array.from({ length: 60 }, (_, index) => sell(index))));
    expect(sold.reduce((sum, one) => sum + one, 0)).toBe(80 - RESERVED);
    expect(await pool.use(() => Show.query().sum('seats'))).toBe(RESERVED);
  },
);
