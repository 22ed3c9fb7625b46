import { Column, Counter, Id, Model, Table } from 'bellwether';

@Table('halls')
class Hall extends Model {
  @Id('integer') declare readonly id: number;
  @Column() declare name: string;
  @Column() @Counter({ min: 0, max: 500 }) declare seats: number;
  @Column() @Counter() declare tickets: bigint;
}

class Wrong extends Model {
  // @ts-expect-error a counter is a whole number
  @Column() @Counter() declare name: string;
  // @ts-expect-error and never null
  @Column('integer', { nullable: true }) @Counter() declare seats: number | null;
}

test('counters are changed by their names and by amounts of their types', () => {
  const calls = (hall: Hall) => [
    hall.decrement('seats'),
    hall.increment('seats', 3),
    hall.decrement('tickets', 3n),
    Hall.decrement(1, 'seats', 3),
    Hall.increment(1, 'tickets', 3n),
    // @ts-expect-error no such attribute
    hall.decrement('seat'),
    // @ts-expect-error a text is no counter
    hall.decrement('name'),
    // @ts-expect-error a bigint counter counts bigints
    hall.decrement('tickets', 3),
    // @ts-expect-error and a number counter numbers
    Hall.increment(1, 'seats', 3n),
    // @ts-expect-error the key has a type as well
    Hall.increment('1', 'seats', 3),
  ];
  expect([calls, Wrong]).toHaveLength(2); // the compiler is the guard here, not the run time
});
