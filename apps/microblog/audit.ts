import { sql } from 'bellwether';
import type { Database } from 'bellwether';
import type { Finding } from '../web/findings';

// The verdict on the microblog, in SQL: it does not go through the models whose promises it checks.

/** Each rule as a query for its breaches, in words. */
const RULES: Readonly<Record<string, string>> = {
  'usernames are unique, whatever their case': `
    select format('%s users are called %s', count(*), lower(username)) as what
    from users group by lower(username) having count(*) > 1`,
  'e-mail addresses are unique, whatever their case': `
    select format('users %s have one address', string_agg(id::text, ', ')) as what
    from users group by lower(email) having count(*) > 1`,
  'every user follows itself': `
    select format('user %s does not follow itself', id) as what from users
    where not exists (select from relationships where follower_id = users.id and followed_id = users.id)`,
  'relationships have both their ends': `
    select format('relationship %s lacks an end', id) as what from relationships
    where not exists (select from users where users.id = follower_id)
      or not exists (select from users where users.id = followed_id)`,
  'nobody follows anybody twice': `
    select format('user %s follows user %s %s times', follower_id, followed_id, count(*)) as what
    from relationships group by follower_id, followed_id having count(*) > 1`,
  'nobody follows whom they are blocked by': `
    select format('user %s follows user %s, and is blocked', follower_id, followed_id) as what
    from relationships join blocks on blocker_id = followed_id and blocked_id = follower_id`,
  'blocks have both their ends, which are two': `
    select format('block %s lacks an end', id) as what from blocks
    where blocker_id = blocked_id
      or not exists (select from users where users.id = blocker_id)
      or not exists (select from users where users.id = blocked_id)`,
  'nobody blocks anybody twice': `
    select format('user %s blocks user %s %s times', blocker_id, blocked_id, count(*)) as what
    from blocks group by blocker_id, blocked_id having count(*) > 1`,
  'every post has its author': `
    select format('post %s has no author', id) as what from microposts
    where not exists (select from users where users.id = author_id)`,
  'posts are 1 to 280 characters long': `
    select format('post %s is %s characters long', id, char_length(content)) as what from microposts
    where char_length(content) not between 1 and 280`,
  'every reply has the post that it answers': `
    select format('post %s answers post %s, which is not there', id, in_reply_to_id) as what from microposts
    where in_reply_to_id is not null
      and not exists (select from microposts as answered where answered.id = microposts.in_reply_to_id)`,
  'every reply is in the conversation of what it answers': `
    select format('post %s is not in the conversation of post %s', reply.id, answered.id) as what
    from microposts as reply left join microposts as answered on answered.id = reply.in_reply_to_id
    where reply.conversation_id is distinct from coalesce(answered.conversation_id, answered.id)`,
};

export const RULE_NAMES = Object.keys(RULES);

/** Checks every rule, on one snapshot. */
export const audit = (db: Database): Promise<Finding[]> => db.snapshot(() => checkRules(db));

/** Checks every rule in the transaction that is under way, which should have a snapshot. */
export async function checkRules(db: Database): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [rule, breaches] of Object.entries(RULES)) {
    const { rows } = await sql<{ violations: string; detail: string | null }>`
      with breaches as (${sql.raw(breaches)})
      select count(*)::text as violations, min(what) as detail from breaches
    `.execute(db.kysely());
    const [{ violations, detail } = { violations: '0', detail: null }] = rows;
    findings.push({ rule, violations: Number(violations), detail: detail ?? '' });
  }
  return findings;
}
