import type { Statement, StatementResult } from '../database/statement';
import { RecordNotFoundError } from '../query/errors';
import { runInScope } from '../transaction/context';
import { RetriesExhaustedError } from '../transaction/errors';
import type { Session } from '../transaction/session';
import type { CounterChange } from './counter-change';
import { encodedKey } from './counter-change';
import { CounterExhaustedError } from './counter-errors';
import type { NamedText } from './slot-statements';
import { slotStatements, SPREAD_FROM } from './slot-statements';

/** How long a caller goes on while others hold what it needs, in milliseconds. */
const PATIENCE_MS = 30_000;

/**
 * Takes units from any slot that nobody holds, or gives them to one.
 *
 * Escrow: each slot is a part of the units that is decided on alone, so that transactions that hold different slots do
 * not wait for one another. The row keeps what is not spread. When no slot has enough, all that is free is gathered at
 * the row, and spread anew if there is much of it; what is left at the end is sold from the row.
 *
 * Refused only if one picture of the row and all slots shows less than was asked for: that counts what transactions
 * under way have taken, since they may be undone, and so it waits for them. Whoever waits for a slot holds nothing
 * itself, so that callers outside of transactions are in no deadlock; of transactions that each hold what the other
 * needs, PostgreSQL ends one, and the runner begins it anew.
 *
 * Cost: one round trip; two when refused; five when the units are gathered.
 *
 * @see O'Neil, "The Escrow Transactional Method", ACM TODS 11(4), 1986
 */
export async function changeSlots(session: Session, change: CounterChange): Promise<undefined> {
  const slots = new Slots(session, change);
  if (change.way === 'decrement') return slots.take();
  if (!(await slots.isDone('give')))
    throw new RecordNotFoundError(change.schema.name, change.schema.primaryKey.property);
}

class Slots {
  readonly #session: Session;
  readonly #change: CounterChange;
  readonly #texts: ReturnType<typeof slotStatements>;
  readonly #key: unknown;

  constructor(session: Session, change: CounterChange) {
    this.#session = session;
    this.#change = change;
    this.#texts = slotStatements(change.schema, change.counter);
    this.#key = encodedKey(change.schema, change.key);
  }

  async isDone(what: 'take' | 'give'): Promise<boolean> {
    const { rows } = await this.#send(this.#texts[what], [String(this.#change.by)]);
    return rows[0]![0] !== '0';
  }

  async take(): Promise<undefined> {
    const begunAt = performance.now();
    for (let attempt = 1; ; attempt++) {
      if (await this.isDone('take')) return;
      const slot = await this.#slotWithEnough();
      if (slot !== null ? await this.#takeFrom(slot) : await this.#gather()) return;
      const elapsedMs = performance.now() - begunAt;
      if (elapsedMs > PATIENCE_MS) throw new RetriesExhaustedError({ attempts: attempt, elapsedMs }, undefined);
    }
  }

  /** @returns null when there is none, though all together have enough. @throws CounterExhaustedError otherwise */
  async #slotWithEnough(): Promise<string | null> {
    const { schema, counter, by } = this.#change;
    const { rows } = await this.#send(this.#texts.look, [String(by)], 'reads');
    if (!rows[0]) throw new RecordNotFoundError(schema.name, schema.primaryKey.property);
    const [all, slot] = rows[0] as [string, string | null];
    if (BigInt(all) >= by) return slot;
    await this.#assertCurrent();
    throw new CounterExhaustedError(schema.name, counter.property, 'min');
  }

  /** A snapshot may be old: locking what it shows has PostgreSQL say so (40001), and the whole begin anew. */
  async #assertCurrent(): Promise<void> {
    const { scope } = this.#session;
    if (scope === undefined || scope.transaction.isolation === 'read committed') return;
    await Promise.all([this.#send(this.#texts.lockRow, [], 'locks'), this.#send(this.#texts.lockAll, [], 'locks')]);
  }

  /** From a slot that somebody held a moment ago: waits for it. */
  async #takeFrom(slot: string): Promise<boolean> {
    const { rowCount } = await this.#send(this.#texts.takeFrom, [String(this.#change.by), slot]);
    return rowCount === 1;
  }

  /** @returns false when those who hold the rest are to be heard first; one of them has been waited for */
  async #gather(): Promise<boolean> {
    try {
      await this.#inScope(() => this.#gatherFree());
      return true;
    } catch (error) {
      if (!(error instanceof HeldByOthers)) throw error;
      if (error.slot !== undefined) await this.#send(this.#texts.lockOne, [error.slot], 'locks');
      return false;
    }
  }

  /** One at a time, by the row's lock; what is free is held until this is committed. @throws HeldByOthers */
  async #gatherFree(): Promise<void> {
    const { counter, by } = this.#change;
    const [row, , free, all] = await Promise.all([
      this.#send(this.#texts.lockRow, [], 'locks'),
      this.#send(this.#texts.makeSlots, []),
      this.#send(this.#texts.lockFree, [], 'locks'),
      this.#send(this.#texts.all, [], 'reads'),
    ]);
    const kept = row.rows[0] ? BigInt(row.rows[0][0] as string) : 0n;
    const slots = free.rows.map(([slot]) => slot as string);
    const left = free.rows.reduce((sum, [, amount]) => sum + BigInt(amount as string), kept) - by;
    if (left < 0n) {
      throw new HeldByOthers(all.rows.find(([slot, amount]) => amount !== '0' && !slots.includes(slot as string))?.[0]);
    }
    const isMuch = left >= BigInt(SPREAD_FROM * (counter.slots ?? 1)) * by;
    const each = isMuch && slots.length > 0 ? left / BigInt(slots.length) : 0n;
    await Promise.all([
      this.#send(this.#texts.fill, [String(each), slots]),
      this.#send(this.#texts.keep, [String(left - each * BigInt(slots.length))]),
    ]);
  }

  /** A transaction at read committed; inside another, a savepoint, so that nothing stays locked when it is undone. */
  #inScope<T>(body: () => Promise<T>): Promise<T> {
    const { scope } = this.#session;
    if (scope) return scope.savepoint((child) => runInScope(child, body));
    return this.#session.transaction({ isolation: 'read committed' }, body);
  }

  #send(
    statement: NamedText,
    values: readonly unknown[],
    what: 'writes' | 'locks' | 'reads' = 'writes',
  ): Promise<StatementResult> {
    const kind: Pick<Statement, 'writes' | 'locks'> = { writes: what === 'writes', locks: what === 'locks' };
    const sent: Statement = { ...statement, ...kind, values: [this.#key, ...values], valuesAs: 'text' };
    return this.#session.execute({ ...sent, isolation: 'read committed' });
  }
}

/** Has what was locked let go. */
class HeldByOthers extends Error {
  /** One of those who hold units; undefined when they have ended meanwhile. */
  readonly slot: string | undefined;

  constructor(slot: unknown) {
    super('Others hold the units.');
    this.slot = slot as string | undefined;
  }
}
