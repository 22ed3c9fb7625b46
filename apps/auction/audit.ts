import { sql } from 'bellwether';
import type { Database } from 'bellwether';
import type { Finding } from '../web/findings';

// The verdict on the auction, in SQL: it does not go through the models whose promises it checks.

/**
 * Each rule as a query for its breaches. `people` are the users under audit, `lots` what they offer, `standing` the bids
 * on these that count.
 */
const RULES: Readonly<Record<string, string>> = {
  'the cached highest bid is the highest': `
    select format('item %s says %s, its bids %s', lots.id, highest_bid_id, best.id) as what
    from lots left join lateral (
      select id, amount, bidder_id from standing where item_id = lots.id order by amount desc, id limit 1
    ) as best on true
    where (highest_bid_id, highest_amount, leader_id) is distinct from (best.id, best.amount, best.bidder_id)`,
  'the cached number of bids is that of the bids': `
    select format('item %s says %s, it has %s', lots.id, bid_count, count(standing.id)) as what
    from lots left join standing on item_id = lots.id group by lots.id, bid_count having bid_count <> count(standing.id)`,
  'each bid is higher than those before it, by the increment': `
    select format('bid %s of %s follows one of %s', id, amount, before) as what
    from (
      select standing.*, bid_step, start_price, max(amount) over (
        partition by item_id order by standing.id rows between unbounded preceding and 1 preceding
      ) as before from standing join lots on lots.id = item_id
    ) as in_order
    where amount < coalesce(before + bid_step, start_price)`,
  'nobody bids on an item of their own': `
    select format('bid %s', bids.id) as what from bids join lots on lots.id = item_id where bidder_id = seller_id`,
  'no bid was placed after the end': `
    select format('bid %s came at %s, the end was at %s', bids.id, placed_at, ends_at) as what
    from bids join lots on lots.id = item_id where placed_at > ends_at`,
  'no bid both is cancelled and wins': `
    select format('sale %s is to bid %s, which is %s', sales.id, bids.id, bids.status) as what
    from sales join lots on lots.id = sales.item_id join bids on bids.id = bid_id where bids.status <> 'won'
    union all
    select format('bid %s has won and bought nothing', bids.id)
    from bids join lots on lots.id = item_id
    where bids.status = 'won' and not exists (select from sales where bid_id = bids.id)`,
  'at most one sale by auction an item': `
    select format('item %s was sold %s times', item_id, count(*)) as what
    from sales join lots on lots.id = item_id where kind = 'auction' group by item_id having count(*) > 1`,
  'an auction that met its reserve was sold, to the highest bid and for its amount': `
    select format('item %s', lots.id) as what
    from lots left join sales on item_id = lots.id and kind = 'auction'
    where lots.status = 'closed' and highest_amount >= reserve_price and closed_at >= ends_at
      and (bid_id, buyer_id, price) is distinct from (highest_bid_id, leader_id, highest_amount)`,
  'nothing that missed its reserve, is open or was cancelled was sold by auction': `
    select format('item %s is %s, highest %s, reserve %s', lots.id, status, highest_amount, reserve_price) as what
    from lots join sales on item_id = lots.id and kind = 'auction'
    where lots.status <> 'closed' or highest_amount is null or highest_amount < reserve_price`,
  'what was offered is in stock or sold': `
    select format('item %s: %s offered, %s left, %s sold', id, quantity, stock, sold) as what
    from lots, lateral (select coalesce(sum(quantity), 0) as sold from sales where item_id = lots.id) as of_it
    where quantity <> stock + sold or stock < 0`,
  'nothing is open that has none left': `
    select format('item %s', id) as what from lots where status = 'open' and stock = 0`,
  'what was bought now was paid at the price': `
    select format('sale %s: %s for %s at %s', sales.id, sales.quantity, price, buy_now_price) as what
    from sales join lots on lots.id = item_id
    where kind = 'buy now' and price is distinct from buy_now_price * sales.quantity`,
  'what is reserved are the bids that lead': `
    select format('user %s has %s reserved, leads with %s', people.id, reserved, led) as what
    from people join wallets on user_id = people.id, lateral (
      select coalesce(sum(highest_amount), 0) as led from items where leader_id = people.id and status = 'open'
    ) as of_it
    where reserved <> led`,
  'no wallet is below zero or reserves more than it holds': `
    select format('user %s: %s, %s reserved', user_id, balance, reserved) as what
    from wallets join people on people.id = user_id where balance < 0 or reserved < 0 or reserved > balance`,
  'each balance is what was paid in and earned, less what was spent': `
    select format('user %s has %s, should have %s', people.id, balance, paid_in + earned - spent) as what
    from people join wallets on user_id = people.id,
      lateral (select coalesce(sum(amount), 0) as paid_in from deposits where user_id = people.id) as of_deposits,
      lateral (select coalesce(sum(price), 0) as earned from sales where seller_id = people.id) as of_sales,
      lateral (select coalesce(sum(price), 0) as spent from sales where buyer_id = people.id) as of_purchases
    where balance <> paid_in + earned - spent`,
  "the sellers' lists agree with the items": `
    select format('user %s says %s, offers %s', people.id, offered_count, count(lots.id)) as what
    from people left join lots on seller_id = people.id
    group by people.id, offered_count having offered_count <> count(lots.id)`,
  'ratings agree with the comments': `
    select format('user %s says %s of %s', people.id, rating_sum, rating_count) as what
    from people left join comments on subject_id = people.id
    group by people.id, rating_sum, rating_count
    having rating_count <> count(comments.id) or rating_sum <> coalesce(sum(rating), 0)`,
  'each sale has a ring': `
    select format('sale %s', sales.id) as what from sales join lots on lots.id = item_id
    where not exists (select from rings where sale_id = sales.id)`,
};

/**
 * Checks every rule, on one snapshot.
 *
 * @param userIds whom to audit, with what they offer; if not given, all that belong to no exercise
 */
export function audit(db: Database, userIds?: readonly bigint[]): Promise<Finding[]> {
  const whose =
    userIds === undefined
      ? sql`select * from users where not is_drill`
      : sql`select * from users where id = any(${userIds.map(String)}::bigint[])`;
  const check = async ([rule, breaches]: [string, string]): Promise<Finding> => {
    const { rows } = await sql<{ violations: string; detail: string | null }>`
      with people as (${whose}),
        lots as (select * from items where seller_id in (select id from people)),
        standing as (
          select * from bids where status in ('placed', 'won') and item_id in (select id from lots)
        ),
        breaches as (${sql.raw(breaches)})
      select count(*)::text as violations, min(what) as detail from breaches
    `.execute(db.kysely());
    const [{ violations, detail } = { violations: '0', detail: null }] = rows;
    return { rule, violations: Number(violations), detail: detail ?? '' };
  };
  return db.snapshot(() => Promise.all(Object.entries(RULES).map(check)));
}
