import { SerializationFailureError } from '../database/errors';
import { isPostgresError } from '../database/sqlstate';
import type { Statement, StatementResult } from '../database/statement';
import type { IsolationLevel } from '../theory/isolation';
import type { Precaution } from './precautions';

// Serializable transactions see nothing of the reads and writes of weaker ones (src/backend/storage/lmgr/predicate.c tracks
// its own kind only). A weaker transaction whose rules have read holds its reads by locks; a serializable one relies on
// its snapshot. So it has to learn whether one of the former has committed since. See
// docs/decisions/0015-rules-at-mixed-levels.md.

/** Counts the weaker transactions whose rules have read and that have gone on to commit, or tried. */
export const WEAKER_COMMITS = 'bellwether_weaker_commits';

/** ASCII "weak". */
const KEY = 0x7765616b;
/** Of those who commit below serializable only so many can at a time; a lock held through a COMMIT is all they share. */
const STRIPES = 8;

/** What a weaker one sends before COMMIT: nobody who looks at the count meanwhile takes it to be over. */
const MARK: readonly Statement[] = [
  { name: 'bw_mark_lock', text: `select pg_advisory_xact_lock(${KEY}, pg_backend_pid() % ${STRIPES})`, writes: false },
  { name: 'bw_mark', text: `select nextval('${WEAKER_COMMITS}')`, writes: false },
];

// A sequence is beyond snapshots. pg_class is named so that its opening tells the session of sequences that are new.
const COUNT = `coalesce(pg_sequence_last_value(to_regclass('${WEAKER_COMMITS}')), 0)`;
/** Whose locks these are knows that nobody is between the mark and the end of a COMMIT. */
const STRIPES_HELD = `(select count(pg_advisory_xact_lock_shared(${KEY}, stripe)) as locks
  from generate_series(0, ${STRIPES - 1}) stripe) held`;

/** Tells how many there have been; each of them can be seen from here on. Counts only once the locks are held. */
const LOOK: Statement = {
  name: 'bw_weaker',
  text: `select (case when locks > 0 then ${COUNT} end)::text from ${STRIPES_HELD}`,
  valuesAs: 'text',
  writes: false,
};

/** What a serializable one sends before COMMIT: fails if there have been more than `count`; else none commits before it. */
function assertNoMore(count: string | null): readonly Statement[] {
  const text = `select 1 / case when ${COUNT} = $1::text::bigint then 1 else 0 end from pg_class limit 1`;
  return [
    { name: 'bw_weaker_wait', text: `select locks from ${STRIPES_HELD}`, writes: false },
    { name: 'bw_no_weaker', text, values: [count], writes: false },
  ];
}

/** Why a transaction is run again that holds what its rules read as far as that can be held. */
export function moreWeakerCommits(cause: unknown): SerializationFailureError {
  return new SerializationFailureError({
    what: 'A transaction below serializable, whose rules had read too, committed while this one was under way.',
    remedy: 'Run the transaction again; the runner does so by itself until its attempts or its time are used up.',
    details: { sqlState: '40001', constraint: undefined, table: undefined, column: undefined },
    cause,
  });
}

type Run = (statement: Statement) => Promise<StatementResult>;

/** How long after weaker ones were seen they are looked for before each transaction, in milliseconds. */
const WATCHFUL_MS = 60_000;

/** What one process knows of them. */
export class WeakerCommits {
  #count: string | undefined;
  #watchfulUntil = 0;

  /** How many there had been before a transaction that begins now. @param run what sends a statement before BEGIN */
  countBefore(run: Run): string | Promise<string | null> {
    if (this.#count !== undefined && performance.now() > this.#watchfulUntil) return this.#count;
    return run(LOOK).then(
      ({ rows }) => (this.#count = rows[0]![0] as string),
      () => null, // which is no count: if the transaction comes to its COMMIT at all, it is run again
    );
  }

  /** Says that there have been more than were counted. */
  noteMore(): void {
    this.#watchfulUntil = performance.now() + WATCHFUL_MS;
  }
}

/** What a transaction whose rules may read has to do with those at other levels. */
export class RuleReads {
  readonly #isolation: IsolationLevel;
  readonly #weakerCommits: WeakerCommits;
  /** Whether rules have read what is to be true at the commit. */
  areReliedOn = false;
  #countBefore: string | Promise<string | null> = '';

  constructor(isolation: IsolationLevel, weakerCommits: WeakerCommits) {
    this.#isolation = isolation;
    this.#weakerCommits = weakerCommits;
  }

  /** To be called before BEGIN. */
  begin(run: Run): void {
    if (this.#isolation === 'serializable') this.#countBefore = this.#weakerCommits.countBefore(run);
  }

  /** To be called before COMMIT, in whose flight it sends what there is to say. @returns tells why that was refused, if so */
  async end(run: Run): Promise<() => unknown> {
    let refusal: unknown;
    const words = this.#isolation === 'serializable' ? assertNoMore(await this.#countBefore) : MARK;
    for (const statement of words) run(statement).catch((error: unknown) => (refusal ??= error));
    return () => refusal;
  }

  /** What the transaction needs when it is run again because of a refusal; undefined if that is no reason to. */
  neededAfter(refusal: unknown): Precaution | undefined {
    if (!isPostgresError(refusal)) return undefined;
    if (refusal.code === '42P01') return { needGuards: true }; // and the sequence with them
    if (refusal.code !== '22012') return undefined;
    this.#weakerCommits.noteMore();
    return { holdsReads: true };
  }
}
