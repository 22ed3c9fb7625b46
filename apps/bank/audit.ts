import { sql } from 'bellwether';
import type { Database } from 'bellwether';
import type { Finding } from '../web/findings';

// The verdict on the books, in SQL: it does not go through the models whose promises it checks.

/**
 * Each rule as a query for its breaches: the account concerned (null for none in particular) and what is wrong. `books`
 * holds the customers' accounts under audit; the bank's own are in all.
 */
const RULES: Readonly<Record<string, string>> = {
  'entries of each movement sum to zero': `
    select format('movement %s sums to %s over %s entries', movement_id, sum(amount), count(*)) as what
    from entries where movement_id in (select movement_id from entries join books on books.id = account_id)
    group by movement_id having sum(amount) <> 0 or count(*) <> 2`,
  'each balance is the sum of its entries': `
    select format('account %s says %s, its entries %s (minor units)', id, balance, booked) as what
    from books, lateral (select coalesce(sum(amount), 0) as booked from entries where account_id = books.id) as of_it
    where balance <> booked`,
  'no account with a cover of its own is below zero': `
    select format('account %s is at %s (minor units)', id, balance) as what from books where cover = 'own' and balance < 0`,
  'no customer with joint cover is below zero in sum': `
    select format('customer %s is at %s (minor units) in sum', customer_id, sum(balance)) as what
    from books where cover = 'joint' group by customer_id having sum(balance) < 0`,
  'money is conserved': `
    select format('customers hold %s %s, the bank owes them %s', held, currency, -booked) as what
    from (select currency, sum(balance) as held from books group by currency) as customers
    join lateral (
      select coalesce(sum(entries.amount), 0) as booked
      from entries join accounts on accounts.id = account_id
      where accounts.customer_id is null and accounts.currency = customers.currency
        and movement_id in (select movement_id from entries join books on books.id = account_id)
    ) as own on true
    where held + booked <> 0`,
  'both ends of a movement are of one currency': `
    select format('movement %s mixes %s', movement_id, string_agg(distinct currency, ' and ')) as what
    from entries join accounts on accounts.id = account_id
    where movement_id in (select movement_id from entries join books on books.id = account_id)
    group by movement_id having count(distinct currency) > 1`,
  'one open account of each kind a customer': `
    select format('customer %s has %s open accounts of kind %s', customer_id, count(*), kind) as what
    from books where closed_at is null group by customer_id, kind having count(*) > 1`,
  'closed accounts are at zero': `
    select format('account %s was closed and is at %s', id, balance) as what
    from books where closed_at is not null and balance <> 0`,
  'nothing lands on a closed account': `
    select format('entry %s landed on account %s after its closing', entries.id, books.id) as what
    from books join entries on account_id = books.id where entries.id > last_entry_id`,
  'accounts are covered as their customers are': `
    select format('account %s is covered %s, its customer %s', books.id, books.cover, customers.cover) as what
    from books join customers on customers.id = customer_id where books.cover <> customers.cover`,
  'stock is never below zero': `
    select format('product %s has a stock of %s', id, stock) as what from products where stock < 0`,
  'what was stocked is in stock or sold': `
    select format('product %s: %s stocked, %s left, %s sold', id, stocked, stock, sold) as what
    from products, lateral (select coalesce(sum(quantity), 0) as sold from purchases where product_id = products.id) as of_it
    where stocked <> stock + sold`,
  'each purchase was paid at the price': `
    select format('purchase %s of product %s was not paid at its price', purchases.id, products.id) as what
    from purchases join products on products.id = product_id
    where not exists (
      select from entries where entries.movement_id = purchases.movement_id and amount = price * quantity
    )`,
};

export const RULE_NAMES = Object.keys(RULES);

/**
 * Checks every rule, on one snapshot of the books.
 *
 * @param accounts the accounts to audit; if not given, all that belong to no exercise
 */
export function audit(db: Database, accounts?: readonly bigint[]): Promise<Finding[]> {
  return db.snapshot(() => checkRules(db, accounts));
}

/** Checks every rule in the transaction that is under way, which should have a snapshot. */
export async function checkRules(db: Database, accounts?: readonly bigint[]): Promise<Finding[]> {
  const books =
    accounts === undefined
      ? sql`select accounts.* from accounts join customers on customers.id = customer_id where not is_drill`
      : sql`select * from accounts where id = any(${accounts.map(String)}::bigint[])`;
  const findings: Finding[] = [];
  for (const [rule, breaches] of Object.entries(RULES)) {
    const { rows } = await sql<{ violations: string; detail: string | null }>`
      with books as (${books}), breaches as (${sql.raw(breaches)})
      select count(*)::text as violations, min(what) as detail from breaches
    `.execute(db.kysely());
    const [{ violations, detail } = { violations: '0', detail: null }] = rows;
    findings.push({ rule, violations: Number(violations), detail: detail ?? '' });
  }
  return findings;
}
