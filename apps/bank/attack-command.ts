import { Command, InvalidArgumentError } from 'commander';
import { SingleBar } from 'cli-progress';
import { BellwetherError } from 'bellwether';
import type { Database } from 'bellwether';
import { fireFromProcesses } from './attack-processes';
import type { AttackPlan } from './attack-processes';
import { openBank } from './database';
import { answered, clearDrill, COVERED, failures, judge, prepareDrill, VARIANTS } from './drill';
import type { Variant, Verdict } from './drill';
import { formatAmount } from './money';

const LABELS: Readonly<Record<Variant, string>> = {
  unsafe: 'unsafe twin (read, decide, write)',
  declared: 'declared operation',
};

async function attack(db: Database, variant: Variant, plan: AttackPlan): Promise<Verdict> {
  const drill = await prepareDrill();
  const bar = new SingleBar({
    format: `${LABELS[variant].padEnd(34)} {bar} {value}/{total}  paid {paid}, refused {refused}, errors {errors}`,
    noTTYOutput: false,
  });
  bar.start(plan.transfers, 0, { paid: 0, refused: 0, errors: 0 });
  try {
    const outcome = await fireFromProcesses(drill, variant, plan, (tally) =>
      bar.update(answered(tally), { paid: tally.paid, refused: tally.refused, errors: failures(tally) }),
    );
    const verdict = await judge(db, drill, { variant, transfers: plan.transfers, ...outcome });
    await clearDrill(drill);
    return verdict;
  } finally {
    bar.stop();
  }
}

const money = (amount: bigint) => `${formatAmount(amount, 'EUR')} EUR`;

/** One row a fact, one column a variant. */
export function verdictTable(verdicts: readonly Verdict[]): string[] {
  const rows: [string, (verdict: Verdict) => string][] = [
    ['', ({ variant }) => (variant === 'declared' ? 'declared' : 'unsafe twin')],
    ['paid', ({ tally }) => `${tally.paid} transfers`],
    ['paid out', ({ paidOut }) => money(paidOut)],
    ['refused: InsufficientFundsError', ({ tally }) => String(tally.refused)],
    ['database errors', ({ tally }) => describeFailures(tally.failed)],
    ['money lost', ({ lost }) => money(lost)],
    ['left on the account', ({ fromBalance }) => money(fromBalance)],
    ['books balance?', ({ booksBalance }) => (booksBalance ? 'yes' : 'NO')],
    ['time', ({ elapsedMs }) => `${(elapsedMs / 1000).toFixed(1)} s`],
  ];
  const width = Math.max(...rows.flatMap(([, cell]) => verdicts.map((verdict) => cell(verdict).length)));
  return rows.map(([label, cell]) =>
    [label.padEnd(33), ...verdicts.map((verdict) => cell(verdict).padStart(width))].join('  '),
  );
}

function describeFailures(failed: Readonly<Record<string, number>>): string {
  const all = Object.entries(failed);
  return all.length === 0 ? '0' : all.map(([code, times]) => `${times} ${code}`).join(', ');
}

function wholeNumber(most: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (/^\d+$/.test(text) && number >= 1 && number <= most) return number;
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${most}.`);
  };
}

async function run(plan: AttackPlan): Promise<number> {
  const say = (line: string) => void process.stdout.write(`${line}\n`);
  const db = await openBank({ poolSize: 5, onProgress: (step) => void process.stderr.write(`${step}\n`) });
  try {
    const connections = plan.processes * plan.pool;
    say(
      `${plan.transfers} simultaneous transfers of 10.00 EUR out of 1,000.00 EUR, over ${connections} connections.\n`,
    );
    const verdicts: Verdict[] = [];
    for (const variant of [...VARIANTS].reverse()) verdicts.push(await attack(db, variant, plan));
    for (const line of ['', ...verdictTable(verdicts), '']) say(line);
    const declared = verdicts.find(({ variant }) => variant === 'declared');
    const isRight = declared?.isRight ?? false;
    const expected = Math.min(COVERED, plan.transfers);
    say(
      isRight
        ? `The declared operation paid exactly ${expected} and refused the rest; the books balance to the last cent.`
        : `The declared operation did NOT do what it promises: ${expected} paid, the rest refused, the books balanced.`,
    );
    return isRight ? 0 : 1;
  } finally {
    await db.close();
  }
}

const program = new Command('bank:attack')
  .description(
    'Attacks an account of 1,000 EUR with simultaneous transfers of 10: the declared operation and its unsafe twin.',
  )
  .option('--transfers <n>', 'how many transfers', wholeNumber(100_000), 1000)
  .option('--processes <n>', 'from how many processes', wholeNumber(32), 1)
  .option('--pool <n>', 'connections of each process', wholeNumber(200), 20)
  .action(async (plan: AttackPlan) => {
    try {
      process.exitCode = await run(plan);
    } catch (error) {
      if (!(error instanceof BellwetherError)) throw error;
      process.stderr.write(`bank:attack: ${error.message}\n`);
      process.exitCode = 1;
    }
  });

if (require.main === module) void program.parseAsync();
