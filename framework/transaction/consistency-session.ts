import { InvalidOptionError } from '../core/invalid-option-error';
import type { Lsn } from '../core/lsn';
import { laterOf, parseLsn, printLsn, START_OF_LOG } from '../core/lsn';
import type { Statement, StatementResult } from '../database/connection';
import { isConnectionLoss } from '../database/sqlstate';
import { runWith, surroundings } from './surroundings';
import { InvalidSessionTokenError } from './errors';

/**
 * Terry's four guarantees. The last two always hold, since all writes go to the primary, which has what every replica
 * has.
 *
 * @see Terry et al., "Session Guarantees for Weakly Consistent Replicated Data" (PDIS 1994)
 */
export const GUARANTEES = ['read your writes', 'monotonic reads', 'writes follow reads', 'monotonic writes'] as const;
export type Guarantee = (typeof GUARANTEES)[number];

export interface SessionOptions {
  /** What reads on replicas must keep to. Default: all four. */
  readonly guarantees?: readonly Guarantee[];
  /** Goes on where the session of this token was, in another request or process. */
  readonly token?: string | undefined;
  /** How long a read waits for a replica that is far enough, in milliseconds; 0 asks each once. Default 100. */
  readonly timeoutMs?: number;
  /** What becomes of a read when there is none by then. Default: it goes to the `primary`. */
  readonly ifBehind?: 'primary' | 'fail';
}

/**
 * How far the log was; `unknown` from a write on whose position could not be learnt, as the connection was lost: only the
 * primary has it for sure.
 */
type Position = Lsn | 'unknown';

/** Where a server stands: a replica by what it has replayed, the primary by what has been written into its log. */
export const POSITION: Statement = {
  name: 'bw_position',
  text: `select pg_is_in_recovery(), (case when pg_is_in_recovery() then pg_last_wal_replay_lsn()
    else pg_current_wal_insert_lsn() end)::text`,
  valuesAs: 'text',
  writes: false,
};

/** What statements are sent on. */
interface Runner {
  run(statement: Statement): Promise<StatementResult>;
}

/** What a session has written and read, as positions in the log. All that it does in one context takes part. */
export class ConsistencySession {
  readonly options: Required<Omit<SessionOptions, 'token'>>;
  readonly #outer: ConsistencySession | undefined;
  #written: Position = START_OF_LOG;
  #read: Position = START_OF_LOG;

  /** @internal Made by `db.session(…)`. */
  constructor({ token, ...options }: SessionOptions, outer: ConsistencySession | undefined) {
    this.options = checked(options);
    this.#outer = outer;
    if (token !== undefined) [this.#written, this.#read] = parseToken(token);
  }

  /**
   * Where the session stands, as opaque text for a cookie or a header: `db.session({ token }, …)` goes on from there.
   * It is not signed: whoever changes it harms the guarantees of that session only.
   */
  get token(): string {
    return `1.${printPosition(this.#written)}.${printPosition(this.#read)}`.replaceAll('/', '-');
  }

  /** What a replica must have replayed. The sessions around this one count too. */
  get needed(): Position {
    const { guarantees } = this.options;
    const written = guarantees.includes('read your writes') ? this.#written : START_OF_LOG;
    const read = guarantees.includes('monotonic reads') ? this.#read : START_OF_LOG;
    return later(later(written, read), this.#outer?.needed ?? START_OF_LOG);
  }

  note(position: Position, kind: 'written' | 'read'): void {
    if (kind === 'written') this.#written = later(this.#written, position);
    this.#read = later(this.#read, position); // what writes has read before
    this.#outer?.note(position, kind);
  }

  /** Learns the position behind `answer`, which was just sent on this connection, in the same flight. */
  async learn<T>(connection: Runner, answer: Promise<T>, kind: 'written' | 'read'): Promise<T> {
    const position = connection.run(POSITION).then(
      ({ rows }) => parseLsn(rows[0]![1] as string) ?? 'unknown',
      () => 'unknown' as const,
    );
    const [answered, learnt] = await Promise.allSettled([answer, position]);
    const mayHaveHappened = answered.status === 'fulfilled' || isConnectionLoss(answered.reason);
    if (mayHaveHappened && learnt.status === 'fulfilled') this.note(learnt.value, kind);
    return answer;
  }
}

declare module './surroundings' {
  interface Surroundings {
    /** By database. */
    readonly consistency?: ReadonlyMap<object, ConsistencySession>;
  }
}

/** The session around the running code, with the database of `owner`. */
export function currentConsistencySession(owner: object): ConsistencySession | undefined {
  return surroundings().consistency?.get(owner);
}

export function runInConsistencySession<T>(owner: object, session: ConsistencySession, body: () => T): T {
  return runWith({ consistency: new Map([...(surroundings().consistency ?? []), [owner, session]]) }, body);
}

/** What was just sent on a connection of `owner`'s; in a session its position is learnt, in the same flight. */
export function withPosition<T>(
  owner: object,
  connection: Runner,
  answer: Promise<T>,
  kind: 'written' | 'read',
): Promise<T> {
  const session = currentConsistencySession(owner);
  return session ? session.learn(connection, answer, kind) : answer;
}

function checked(options: Omit<SessionOptions, 'token'>): Required<Omit<SessionOptions, 'token'>> {
  const { guarantees = GUARANTEES, timeoutMs = 100, ifBehind = 'primary' } = options;
  const unknown = guarantees.find((guarantee) => !GUARANTEES.includes(guarantee));
  if (unknown !== undefined) throw new InvalidOptionError('guarantees', `a list of ${GUARANTEES.join(', ')}`, unknown);
  if (!Number.isInteger(timeoutMs) || timeoutMs < 0 || timeoutMs > 2 ** 31 - 1) {
    throw new InvalidOptionError('timeoutMs', 'a whole number of milliseconds', timeoutMs);
  }
  if (!['primary', 'fail'].includes(ifBehind)) {
    throw new InvalidOptionError('ifBehind', 'one of primary, fail', ifBehind);
  }
  return { guarantees, timeoutMs, ifBehind };
}

function later(one: Position, other: Position): Position {
  return one === 'unknown' || other === 'unknown' ? 'unknown' : laterOf(one, other);
}

function printPosition(position: Position): string {
  return position === 'unknown' ? position : printLsn(position);
}

/** @throws InvalidSessionTokenError */
function parseToken(token: string): [written: Position, read: Position] {
  const [form, ...positions] = String(token).replaceAll('-', '/').split('.');
  const [written, read] = positions.map((text) => (text === 'unknown' ? text : parseLsn(text)));
  if (form !== '1' || positions.length !== 2 || written === undefined || read === undefined) {
    throw new InvalidSessionTokenError();
  }
  return [written, read];
}
