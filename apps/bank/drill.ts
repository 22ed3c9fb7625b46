import { BellwetherError, transactional } from 'bellwether';
import type { Database } from 'bellwether';
import { Account } from '../../models/bank/account';
import { Customer } from '../../models/bank/customer';
import { Entry } from '../../models/bank/entry';
import { Movement } from '../../models/bank/movement';
import { Purchase } from '../../models/bank/purchase';
import { allHold } from '../web/findings';
import type { Finding } from '../web/findings';
import { audit } from './audit';
import { InsufficientFundsError } from './errors';
import { deposit, openAccount, openCustomer, transfer } from './operations';
import { unsafeTransfer } from './unsafe';

// The attack that emptied Flexcoin, as an exercise: simultaneous transfers out of an account that can pay only some.

export const VARIANTS = ['declared', 'unsafe'] as const;
export type Variant = (typeof VARIANTS)[number];

/** In minor units: 1,000.00 EUR, in transfers of 10.00. */
export const FUNDS = 100_000n;
export const AMOUNT = 1_000n;
/** How many transfers the funds cover. */
export const COVERED = Number(FUNDS / AMOUNT);

/** The two accounts of an attack, which nobody else uses. */
export interface Drill {
  readonly fromId: bigint;
  readonly toId: bigint;
}

/** How the transfers went, as far as they have. */
export interface Tally {
  readonly paid: number;
  readonly refused: number;
  /** Anything but an answer of the bank, by error code. */
  readonly failed: Readonly<Record<string, number>>;
}

export interface Verdict {
  readonly variant: Variant;
  readonly transfers: number;
  readonly tally: Tally;
  readonly elapsedMs: number;
  /** What the callers were told was paid. */
  readonly paidOut: bigint;
  /** What is missing: paid out beyond what the account's balance gave. */
  readonly lost: bigint;
  readonly fromBalance: bigint;
  readonly toBalance: bigint;
  readonly findings: readonly Finding[];
  readonly booksBalance: boolean;
  /** Exactly what was covered was paid, all else refused with a reason, and the books balance. */
  readonly isRight: boolean;
}

export const NO_TALLY: Tally = { paid: 0, refused: 0, failed: {} };
const OPERATIONS = { declared: transfer, unsafe: unsafeTransfer } as const;

export async function prepareDrill(funds = FUNDS): Promise<Drill> {
  const accounts = [];
  for (const name of ['The victim', 'The thief']) {
    const customer = await openCustomer({ name, isDrill: true });
    accounts.push(await openAccount({ customerId: customer.id, kind: 'checking', currency: 'EUR' }));
  }
  const [fromId, toId] = accounts.map(({ id }) => id) as [bigint, bigint];
  await deposit({ accountId: fromId, amount: funds });
  return { fromId, toId };
}

export interface FireOptions {
  /** How many may be on their way at a time. Default: all. */
  readonly atOnce?: number;
  /** Begins no more once it is aborted. */
  readonly signal?: AbortSignal;
  /** Hears the tally after each transfer. */
  readonly onProgress?: (tally: Tally) => void;
}

/** Makes the transfers, all at once, and waits for all. */
export async function fire(
  { fromId, toId }: Drill,
  variant: Variant,
  transfers: number,
  { atOnce = transfers, signal, onProgress }: FireOptions = {},
): Promise<Tally> {
  let tally = NO_TALLY;
  let begun = 0;
  const keepFiring = async () => {
    while (begun < transfers && signal?.aborted !== true) {
      begun++;
      const outcome = await outcomeOf(OPERATIONS[variant]({ fromId, toId, amount: AMOUNT }));
      tally = count(tally, outcome); // after the wait: what was read before it would overwrite the others' counts
      onProgress?.(tally);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, transfers) }, keepFiring));
  return tally;
}

type Outcome = 'paid' | 'refused' | { readonly failed: string };

async function outcomeOf(payment: Promise<unknown>): Promise<Outcome> {
  try {
    await payment;
    return 'paid';
  } catch (error) {
    if (error instanceof InsufficientFundsError) return 'refused';
    if (error instanceof BellwetherError) return { failed: error.code };
    return { failed: error instanceof Error ? error.name : typeof error };
  }
}

function count(tally: Tally, outcome: Outcome): Tally {
  if (outcome === 'paid') return { ...tally, paid: tally.paid + 1 };
  if (outcome === 'refused') return { ...tally, refused: tally.refused + 1 };
  return addTallies(tally, { ...NO_TALLY, failed: { [outcome.failed]: 1 } });
}

export function addTallies(one: Tally, other: Tally): Tally {
  const codes = [...new Set([...Object.keys(one.failed), ...Object.keys(other.failed)])];
  const failed = Object.fromEntries(codes.map((code) => [code, (one.failed[code] ?? 0) + (other.failed[code] ?? 0)]));
  return { paid: one.paid + other.paid, refused: one.refused + other.refused, failed };
}

export const failures = ({ failed }: Tally): number => Object.values(failed).reduce((sum, times) => sum + times, 0);
export const answered = (tally: Tally): number => tally.paid + tally.refused + failures(tally);

/** What the attack did, by the callers' receipts, by the balances, and by the audit of the two accounts. */
export async function judge(
  db: Database,
  { fromId, toId }: Drill,
  facts: { readonly variant: Variant; readonly transfers: number; readonly tally: Tally; readonly elapsedMs: number },
): Promise<Verdict> {
  const [from, to] = [await Account.find(fromId), await Account.find(toId)];
  const findings = await audit(db, [fromId, toId]);
  const booksBalance = allHold(findings);
  const { tally, transfers } = facts;
  const paidOut = BigInt(tally.paid) * AMOUNT;
  const shouldPay = Math.min(COVERED, transfers);
  return {
    ...facts,
    paidOut,
    lost: paidOut - (FUNDS - from.balance),
    fromBalance: from.balance,
    toBalance: to.balance,
    findings,
    booksBalance,
    isRight: booksBalance && tally.paid === shouldPay && tally.refused === transfers - shouldPay,
  };
}

/** Clears the wreckage away: all that belongs to accounts which nobody else has dealt with. */
export const clearAccounts = transactional(
  { isolation: 'read committed', name: 'clear accounts' },
  async (accountId: readonly bigint[]): Promise<void> => {
    const owners = await Account.where({ id: accountId }).pluck('customerId');
    const movementId = [...new Set(await Entry.where({ accountId }).pluck('movementId'))];
    await Purchase.where({ movementId }).deleteAll();
    await Entry.where({ movementId }).deleteAll();
    await Movement.where({ id: movementId }).deleteAll();
    await Account.where({ id: accountId }).deleteAll();
    await Customer.where({ id: owners.flatMap((id) => id ?? []) }).deleteAll();
  },
);

export const clearDrill = ({ fromId, toId }: Drill): Promise<void> => clearAccounts([fromId, toId]);
