import { createHash } from 'node:crypto';
import { quotedName } from '../database/quoted-name';
import type { ModelSchema } from '../schema/model-schema';
import type { CounterFact } from './counter-facts';
import { slotTableOf } from './counter-facts';

export interface NamedText {
  readonly text: string;
  readonly name: string;
}

/**
 * The row keeps units only while they are fewer than this many times what is asked for, in each slot: below it they
 * would not last for long when spread, above it a queue at the row would.
 */
export const SPREAD_FROM = 16;

type Statements = Readonly<Record<keyof ReturnType<typeof textsOf>, NamedText>>;

const known = new WeakMap<CounterFact, Statements>();

/** All that is ever sent for a counter with slots: `$1` is the record's key, `$2` the amount. */
export function slotStatements(schema: ModelSchema, counter: CounterFact): Statements {
  let statements = known.get(counter);
  if (!statements) {
    const texts = Object.entries(textsOf(schema, counter)).map(([what, text]) => [what, named(text)] as const);
    known.set(counter, (statements = Object.fromEntries(texts) as Statements));
  }
  return statements;
}

function named(text: string): NamedText {
  return { text, name: `bw_${createHash('sha1').update(text).digest('hex').slice(0, 20)}` };
}

function textsOf(schema: ModelSchema, { property, min, slots = 1 }: CounterFact) {
  const { name } = schema.column(property)!; // checked when the model was sealed
  const [table, key, kept] = [schema.table, schema.primaryKey.name, name].map(quotedName);
  const slotTable = quotedName(slotTableOf(schema.table, name));
  const floor = `${min}::bigint`;
  const anySlot = (condition: string) =>
    `select slot from ${slotTable} where owner_id = $1 and ${condition} order by random() limit 1 for no key update skip locked`;
  const done = (one: string, other: string) => `select (select count(*) from ${one}) + (select count(*) from ${other})`;
  return {
    // What the row has comes first, and is waited for with nothing held; slots that somebody holds are passed over.
    take: `with kept as (
        update ${table} set ${kept} = ${kept} - $2::bigint where ${key} = $1
          and ${kept} >= ${floor} + $2::bigint and ${kept} - ${floor} < $2::numeric * ${SPREAD_FROM * slots} returning 1),
      free as (${anySlot('amount >= $2::bigint and not exists (select from kept)')}),
      taken as (update ${slotTable} s set amount = amount - $2::bigint from free
        where s.owner_id = $1 and s.slot = free.slot returning 1)
      ${done('kept', 'taken')}`,
    takeFrom: `update ${slotTable} set amount = amount - $2::bigint where owner_id = $1 and slot = $3 and amount >= $2::bigint`,
    give: `with free as (${anySlot('amount > 0')}),
      given as (update ${slotTable} s set amount = amount + $2::bigint from free
        where s.owner_id = $1 and s.slot = free.slot returning 1),
      kept as (update ${table} set ${kept} = ${kept} + $2::bigint where ${key} = $1
        and not exists (select from given) returning 1)
      ${done('kept', 'given')}`,
    // One picture: what all would have if every transaction under way were undone. The last is a slot with enough.
    look: `select min(t.${kept}) - ${floor} + coalesce(sum(s.amount), 0)::bigint,
        (array_agg(s.slot order by random()) filter (where s.amount >= $2::bigint))[1]
      from ${table} t left join ${slotTable} s on s.owner_id = t.${key} where t.${key} = $1 having count(*) > 0`,
    lockRow: `select ${kept} - ${floor} from ${table} where ${key} = $1 for no key update`,
    // Behind the row's lock nobody else makes any; `on conflict` would wait for those that are held.
    makeSlots: `insert into ${slotTable} (owner_id, slot, amount) select $1, n, 0 from generate_series(0, ${slots - 1}) as n
      where not exists (select from ${slotTable} where owner_id = $1 and slot = n)`,
    lockFree: `select slot, amount from ${slotTable} where owner_id = $1 for no key update skip locked`,
    lockAll: `select slot, amount from ${slotTable} where owner_id = $1 order by slot for no key update`,
    lockOne: `select 1 from ${slotTable} where owner_id = $1 and slot = $2 for no key update`,
    all: `select slot, amount from ${slotTable} where owner_id = $1`,
    keep: `update ${table} set ${kept} = ${floor} + $2::bigint where ${key} = $1`,
    fill: `update ${slotTable} set amount = $2::bigint where owner_id = $1 and slot = any($3::int[])`,
  };
}

/** The table that a counter with slots needs, for messages. */
export function slotTableSql(schema: ModelSchema, { property }: CounterFact): string {
  const { name } = schema.column(property)!;
  const { name: key, type } = schema.primaryKey;
  return (
    `create table ${quotedName(slotTableOf(schema.table, name))} (owner_id ${type.name} not null references ` +
    `${quotedName(schema.table)} (${quotedName(key)}) on delete cascade, slot int not null, ` +
    'amount bigint not null check (amount >= 0), primary key (owner_id, slot)) with (fillfactor = 50)'
  );
}
