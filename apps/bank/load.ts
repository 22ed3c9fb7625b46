import { Command, InvalidArgumentError } from 'commander';
import { BellwetherError } from 'bellwether';
import type { Database } from 'bellwether';
import { Product } from '../../models/bank/product';
import { audit, balances, describeFindings } from './audit';
import { openBank } from './database';
import { clearAccounts } from './drill';
import * as bank from './operations';
import { statement, totalBalance } from './reading';

// Runs the operations against one another for a while, on few accounts so that they meet, and audits the books after.

export interface LoadOptions {
  /** How long new operations are begun, in milliseconds. */
  readonly durationMs: number;
  /** How many run at a time. */
  readonly workers: number;
}

/** How often each operation was done, was refused by a rule, and failed otherwise; and totals that flickered. */
export interface LoadReport {
  readonly done: Readonly<Record<string, number>>;
  readonly refused: Readonly<Record<string, number>>;
  readonly failed: Readonly<Record<string, number>>;
  readonly flickers: number;
  /** All accounts that took part. */
  readonly accountIds: readonly bigint[];
  readonly productId: bigint;
}

interface Stage {
  /** Customers whose accounts cover themselves; ids of checking and savings. */
  readonly holders: readonly Holder[];
  readonly joint: readonly Holder[];
  /** One who only saves, so that the total must stay as it is. */
  readonly saver: Holder;
  readonly productId: bigint;
}
interface Holder {
  readonly customerId: bigint;
  readonly checking: bigint;
  readonly savings: bigint;
}

const FUNDS = 20_000n;

async function prepare(): Promise<Stage> {
  const open = async (name: string, cover: 'own' | 'joint'): Promise<Holder> => {
    const { id: customerId } = await bank.openCustomer({ name, cover, isDrill: true });
    const [checking, savings] = [
      await openWithFunds(customerId, 'checking'),
      await openWithFunds(customerId, 'savings'),
    ];
    return { customerId, checking, savings };
  };
  const product = await Product.create({ name: 'Load', price: 500n, currency: 'EUR', stocked: 50, stock: 50 });
  return {
    holders: [await open('Load A', 'own'), await open('Load B', 'own'), await open('Load C', 'own')],
    joint: [await open('Load D', 'joint'), await open('Load E', 'joint')],
    saver: await open('Load F', 'own'),
    productId: product.id,
  };
}

async function openWithFunds(customerId: bigint, kind: 'checking' | 'savings'): Promise<bigint> {
  const { id } = await bank.openAccount({ customerId, kind, currency: 'EUR' });
  await bank.deposit({ accountId: id, amount: FUNDS });
  return id;
}

const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)]!; // lists here are never empty
const amountUpTo = (most: number) => BigInt(1 + Math.floor(Math.random() * most));

/** What a worker may do next, by name. */
function repertoire({ holders, joint, saver, productId }: Stage, sawFlicker: () => void, opened: bigint[]) {
  const checkings = holders.map(({ checking }) => checking);
  const either = ({ checking, savings }: Holder) => pick([checking, savings]);
  return {
    transfer: async () => {
      const fromId = pick(checkings);
      await bank.transfer({ fromId, toId: pick(checkings.filter((id) => id !== fromId)), amount: amountUpTo(3000) });
    },
    deposit: () => bank.deposit({ accountId: either(pick([...holders, ...joint])), amount: amountUpTo(1000) }),
    withdraw: () => bank.withdraw({ accountId: either(pick(holders)), amount: amountUpTo(3000) }),
    'withdraw jointly': () => bank.withdrawJointly({ accountId: either(pick(joint)), amount: amountUpTo(5000) }),
    save: () => bank.save({ customerId: pick([...holders, ...joint, saver]).customerId, amount: amountUpTo(300) }),
    'total balance': async () => {
      const { total } = await totalBalance(saver.customerId);
      if (total !== 2n * FUNDS) sawFlicker();
    },
    statement: () => statement(either(pick(holders))),
    buy: () => bank.buy({ productId, accountId: pick(checkings) }),
    'open and close': async () => {
      const { id: customerId } = await bank.openCustomer({ name: 'Load G', isDrill: true });
      const { id: accountId } = await bank.openAccount({ customerId, kind: 'checking', currency: 'EUR' });
      opened.push(accountId);
      const late = bank.deposit({ accountId, amount: 100n }); // lands before the closing, or not at all
      const [closing] = await Promise.allSettled([bank.closeAccount({ accountId }), late]);
      if (closing.status === 'rejected') throw closing.reason as Error;
    },
  };
}

/** Runs the operations at random until the time is up. */
export async function runLoad({ durationMs, workers }: LoadOptions): Promise<LoadReport> {
  const counts = {
    done: new Map<string, number>(),
    refused: new Map<string, number>(),
    failed: new Map<string, number>(),
  };
  const add = (list: Map<string, number>, name: string) => list.set(name, (list.get(name) ?? 0) + 1);
  let flickers = 0;
  const stage = await prepare();
  const { holders, joint, saver, productId } = stage;
  const accountIds = [...holders, ...joint, saver].flatMap(({ checking, savings }) => [checking, savings]);
  const operations = Object.entries(repertoire(stage, () => flickers++, accountIds));
  const endsAt = performance.now() + durationMs;
  const work = async () => {
    while (performance.now() < endsAt) {
      const [name, run] = pick(operations);
      try {
        await run();
        add(counts.done, name);
      } catch (error) {
        if (!(error instanceof BellwetherError)) throw error;
        if (error.recovery === 'fix-the-input') add(counts.refused, name);
        else add(counts.failed, `${name}: ${error.code}`);
      }
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  const [done, refused, failed] = [counts.done, counts.refused, counts.failed].map((list) => Object.fromEntries(list));
  return { done: done!, refused: refused!, failed: failed!, flickers, accountIds, productId };
}

async function loadAndAudit(db: Database, options: LoadOptions): Promise<boolean> {
  const say = (line: string) => void process.stdout.write(`${line}\n`);
  let retries = 0;
  const off = db.on('transaction:retry', () => retries++);
  const report = await runLoad(options);
  off();
  say(`${'operation'.padEnd(18)}${'done'.padStart(8)}${'refused'.padStart(10)}`);
  for (const name of Object.keys({ ...report.done, ...report.refused }).sort()) {
    say(
      `${name.padEnd(18)}${String(report.done[name] ?? 0).padStart(8)}${String(report.refused[name] ?? 0).padStart(10)}`,
    );
  }
  for (const [what, times] of Object.entries(report.failed)) say(`FAILED  ${what}, ${times} time(s)`);
  say(`\nTransactions that the framework ran again: ${retries}. Totals that flickered: ${report.flickers}.`);
  const findings = await audit(db, report.accountIds);
  say(`The books ${balances(findings) ? 'balance' : 'DO NOT BALANCE'}:`);
  for (const line of describeFindings(findings)) say(line);
  await clearAccounts(report.accountIds);
  await Product.where({ id: report.productId }).deleteAll();
  return balances(findings) && report.flickers === 0 && Object.keys(report.failed).length === 0;
}

function positive(text: string): number {
  if (/^\d{1,4}$/.test(text) && Number(text) > 0) return Number(text);
  throw new InvalidArgumentError('It must be a whole number from 1 to 9999.');
}

const program = new Command('bank:load')
  .description('Runs the operations of the bank against one another, then audits the books.')
  .option('--seconds <n>', 'for how long', positive, 10)
  .option('--workers <n>', 'how many operations at a time', positive, 16)
  .action(async ({ seconds, workers }: { seconds: number; workers: number }) => {
    try {
      const db = await openBank({ poolSize: 20, onProgress: (step) => void process.stderr.write(`${step}\n`) });
      try {
        const isRight = await loadAndAudit(db, { durationMs: seconds * 1000, workers });
        process.exitCode = isRight ? 0 : 1;
      } finally {
        await db.close();
      }
    } catch (error) {
      if (!(error instanceof BellwetherError)) throw error;
      process.stderr.write(`bank:load: ${error.message}\n`);
      process.exitCode = 1;
    }
  });

if (require.main === module) void program.parseAsync();
