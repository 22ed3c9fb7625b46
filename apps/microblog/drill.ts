import { randomBytes } from 'node:crypto';
import { BellwetherError, sql } from 'bellwether';
import type { Database } from 'bellwether';
import { User } from '../../models/microblog/user';
import { UnsafeBlock, UnsafeRelationship, UnsafeUser } from '../../models/microblog/unsafe-tables';
import * as blog from './operations';
import type { Pair } from './operations';
import * as unsafe from './unsafe';

// Each rule, tried on the declared operations and on their unsafe twins: the same two things at the same moment, many
// times over; then SQL counts how often the rule is broken.

export const VARIANTS = ['unsafe', 'declared'] as const;
export type Variant = (typeof VARIANTS)[number];

/** How one rule fared under one variant. */
export interface Outcome {
  readonly tries: number;
  /** How often the rule was found broken, afterwards or by those who looked meanwhile. */
  readonly broken: number;
  /** What ended neither well nor with a refusal, by code. Should be empty. */
  readonly failed: Readonly<Record<string, number>>;
}
export interface DrillRow {
  readonly rule: string;
  /** What happens at the same moment. */
  readonly tried: string;
  readonly outcomes: Readonly<Record<Variant, Outcome>>;
}

/** What is tried, on either side. */
interface Side {
  readonly register: (username: string) => Promise<bigint>;
  readonly registerInSteps: (username: string) => Promise<bigint>;
  readonly follow: (pair: Pair) => Promise<unknown>;
  readonly block: (pair: Pair) => Promise<unknown>;
  readonly deleteUser: (user: { readonly userId: bigint }) => Promise<unknown>;
  readonly tables: Readonly<Record<'users' | 'relationships' | 'blocks', string>>;
}

const declaredRegister = async (username: string) =>
  (await blog.register({ username, email: `${username}@example.org`, passwordHash: 'nobody signs in' })).id;

const SIDES: Readonly<Record<Variant, Side>> = {
  unsafe: {
    register: unsafe.unsafeRegister,
    registerInSteps: unsafe.unsafeRegisterInTwoSteps,
    follow: unsafe.unsafeFollow,
    block: unsafe.unsafeBlock,
    deleteUser: unsafe.unsafeDeleteUser,
    tables: { users: 'unsafe_users', relationships: 'unsafe_relationships', blocks: 'unsafe_blocks' },
  },
  declared: {
    register: declaredRegister,
    registerInSteps: declaredRegister,
    follow: blog.follow,
    block: blog.block,
    deleteUser: blog.deleteUser,
    tables: { users: 'users', relationships: 'relationships', blocks: 'blocks' },
  },
};

/** One run of a trial on one side: who takes part, and what ended badly. */
class Run {
  readonly side: Side;
  readonly db: Database;
  readonly ids: bigint[] = [];
  readonly failed: Record<string, number> = {};

  constructor(db: Database, side: Side) {
    this.db = db;
    this.side = side;
  }

  async somebody(): Promise<bigint> {
    return this.noted(await this.side.register(drillName()));
  }

  noted(id: bigint): bigint {
    this.ids.push(id);
    return id;
  }

  /** Both at once. Refusals are answers. */
  async both(...operations: readonly Promise<unknown>[]): Promise<void> {
    for (const outcome of await Promise.allSettled(operations)) {
      if (outcome.status === 'fulfilled' || isRefusal(outcome.reason)) continue;
      const { code = 'a bug' } = outcome.reason as { code?: string };
      this.failed[code] = (this.failed[code] ?? 0) + 1;
    }
  }

  /** @param breaches a query of one number, where `users`, `relationships` and `blocks` are this side's, of this run */
  async count(breaches: string): Promise<number> {
    const { users, relationships, blocks } = this.side.tables;
    const ids = sql`${this.ids.map(String)}::bigint[]`;
    const { rows } = await sql<{ count: string }>`
      with users as (select * from ${sql.table(users)} where id = any(${ids})),
        relationships as (select * from ${sql.table(relationships)} where follower_id = any(${ids})),
        blocks as (select * from ${sql.table(blocks)} where blocker_id = any(${ids}))
      select (${sql.raw(breaches)})::text as count`.execute(this.db.kysely());
    return Number(rows[0]!.count);
  }
}

interface Trial {
  readonly rule: string;
  readonly tried: string;
  /** @returns how often the rule was broken */
  readonly run: (run: Run, tries: number) => Promise<number>;
}

const TRIALS: readonly Trial[] = [
  {
    rule: 'Nobody follows whom they are blocked by',
    tried: 'B follows A while A blocks B',
    run: async (run, tries) => {
      await inParallel(tries, async () => {
        const [a, b] = [await run.somebody(), await run.somebody()];
        const { follow, block } = run.side;
        await run.both(follow({ userId: b, otherId: a }), block({ userId: a, otherId: b }));
      });
      return run.count(`select count(*) from relationships join blocks
        on blocker_id = followed_id and blocked_id = follower_id`);
    },
  },
  {
    rule: 'Relationships have both their ends',
    tried: 'B follows A while A is deleted',
    run: async (run, tries) => {
      await inParallel(tries, async () => {
        const [a, b] = [await run.somebody(), await run.somebody()];
        await run.both(run.side.follow({ userId: b, otherId: a }), run.side.deleteUser({ userId: a }));
      });
      return run.count(`select count(*) from relationships
        where not exists (select from users where users.id = followed_id)`);
    },
  },
  {
    rule: 'Usernames are unique',
    tried: 'two register with one name',
    run: async (run, tries) => {
      await inParallel(tries, async () => {
        const name = drillName();
        const register = async () => run.noted(await run.side.register(name));
        await run.both(register(), register());
      });
      return run.count(`select count(*) - count(distinct lower(username)) from users`);
    },
  },
  {
    rule: 'A user follows itself from its first moment',
    tried: 'somebody looks while users are made',
    run: async (run, tries) => {
      const seen = new Set<string>();
      let isMaking = true;
      const look = async () => {
        const { users, relationships } = run.side.tables;
        while (isMaking) {
          const { rows } = await sql<{ id: string }>`
            select id::text from ${sql.table(users)} as users where username like 'drill%' and not exists
              (select from ${sql.table(relationships)} where follower_id = users.id and followed_id = users.id)
          `.execute(run.db.kysely());
          for (const { id } of rows) seen.add(id);
        }
      };
      const make = () => inParallel(tries, async () => run.noted(await run.side.registerInSteps(drillName())));
      await Promise.all([make().finally(() => (isMaking = false)), look()]);
      return seen.size;
    },
  },
];

const AT_ONCE = 4;

async function inParallel(times: number, once: () => Promise<unknown>): Promise<void> {
  let begun = 0;
  const work = async () => {
    while (begun++ < times) await once();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

/** Tries each rule as often as that, on both sides; then takes away whoever took part. */
export function drill(db: Database, { tries = 20 }: { readonly tries?: number } = {}): Promise<DrillRow[]> {
  return db.use(async () => {
    const rows: DrillRow[] = [];
    for (const trial of TRIALS) {
      const [ofUnsafe, ofDeclared] = [
        await outcomeOf(db, trial, 'unsafe', tries),
        await outcomeOf(db, trial, 'declared', tries),
      ];
      rows.push({ rule: trial.rule, tried: trial.tried, outcomes: { unsafe: ofUnsafe, declared: ofDeclared } });
    }
    return rows;
  });
}

async function outcomeOf(db: Database, trial: Trial, variant: Variant, tries: number): Promise<Outcome> {
  const run = new Run(db, SIDES[variant]);
  try {
    return { tries, broken: await trial.run(run, tries), failed: run.failed };
  } finally {
    if (variant === 'declared') await clearDeclared(run.ids);
    else await clearUnsafe();
  }
}

async function clearUnsafe(): Promise<void> {
  const all = [UnsafeUser.everyRow(), UnsafeRelationship.everyRow(), UnsafeBlock.everyRow()];
  await Promise.all(all.map((rows) => rows.deleteAll()));
}

async function clearDeclared(ids: readonly bigint[]): Promise<void> {
  const left = await User.where({ id: ids }).pluck('id');
  for (const userId of left) await blog.deleteUser({ userId });
}

const drillName = () => `drill_${randomBytes(6).toString('hex')}`;

function isRefusal(error: unknown): boolean {
  return (
    error instanceof unsafe.UnsafeRefusal || (error instanceof BellwetherError && error.recovery === 'fix-the-input')
  );
}
