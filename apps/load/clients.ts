import { BellwetherError } from 'bellwether';
import type { Database } from 'bellwether';
import { seeded } from './mix';
import type { Action, Mix, Random } from './mix';

/** What became of one action. */
export interface ActionReport {
  /** How long each took that was done, in milliseconds. */
  readonly tookMs: number[];
  /** How often a rule refused, by code. */
  readonly refused: Record<string, number>;
  /** How often it failed otherwise, by code. */
  readonly failed: Record<string, number>;
}

export interface LoadReport {
  readonly actions: Record<string, ActionReport>;
  /** How often PostgreSQL asked to run something again, by code. */
  readonly retries: Record<string, number>;
  /** The first failure of each code, whole. */
  readonly samples: Record<string, string>;
}

export interface ClientsOptions {
  /** How many do something at a time. */
  readonly clients: number;
  /** How long something new is begun, in milliseconds. */
  readonly durationMs: number;
  readonly seed: number;
  /** Hears how many actions have ended since it was called before. */
  readonly onProgress?: (ended: number) => void;
}

/** Lets clients act at random, each one thing at a time, until the time is up. */
export async function runClients(db: Database, mix: Mix, stage: unknown, options: ClientsOptions): Promise<LoadReport> {
  const { clients, durationMs, seed, onProgress } = options;
  const report = emptyReport(mix.actions);
  const off = db.on('transaction:retry', ({ error }) => add(report.retries, codeOf(error)));
  const endsAt = performance.now() + durationMs;
  const client = async (random: Random) => {
    const choose = chooser(mix.actions);
    while (performance.now() < endsAt) {
      await act(mix, choose(random), { stage, random, report });
      onProgress?.(1);
    }
  };
  try {
    await db.use(() => Promise.all(Array.from({ length: clients }, (_, index) => client(seeded(seed * 7919 + index)))));
  } finally {
    off();
  }
  return report;
}

interface Acting {
  readonly stage: unknown;
  readonly random: Random;
  readonly report: LoadReport;
}

async function act(mix: Mix, action: Action<unknown>, { stage, random, report }: Acting): Promise<void> {
  const { isRefusal = ({ recovery }: BellwetherError) => recovery === 'fix-the-input' } = mix;
  const own = report.actions[action.name]!; // made for all of the mix
  const begunAt = performance.now();
  try {
    await action.run(stage, random);
    own.tookMs.push(performance.now() - begunAt);
  } catch (error) {
    const code = codeOf(error);
    if (error instanceof BellwetherError && isRefusal(error)) return add(own.refused, code);
    add(own.failed, code);
    report.samples[code] ??= error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}

/** By weight. */
function chooser(actions: readonly Action<unknown>[]): (random: Random) => Action<unknown> {
  const total = actions.reduce((sum, { weight }) => sum + weight, 0);
  return (random) => {
    let left = random() * total;
    return actions.find(({ weight }) => (left -= weight) < 0) ?? actions.at(-1)!; // there is one at least
  };
}

function emptyReport(actions: readonly Action<unknown>[]): LoadReport {
  const each = actions.map(({ name }): [string, ActionReport] => [name, { tookMs: [], refused: {}, failed: {} }]);
  return { actions: Object.fromEntries(each), retries: {}, samples: {} };
}

/** What processes have each seen, together. */
export function together(reports: readonly LoadReport[], actions: Mix['actions']): LoadReport {
  const whole = emptyReport(actions);
  for (const { actions: each, retries, samples } of reports) {
    for (const [name, { tookMs, refused, failed }] of Object.entries(each)) {
      const own = whole.actions[name]!; // of the same mix
      for (const took of tookMs) own.tookMs.push(took);
      addAll(own.refused, refused);
      addAll(own.failed, failed);
    }
    addAll(whole.retries, retries);
    Object.assign(whole.samples, samples);
  }
  return whole;
}

const codeOf = (error: unknown): string =>
  error instanceof BellwetherError ? error.code : error instanceof Error ? error.name : 'unknown';
const add = (counts: Record<string, number>, name: string, times = 1): void => {
  counts[name] = (counts[name] ?? 0) + times;
};
const addAll = (counts: Record<string, number>, more: Readonly<Record<string, number>>): void => {
  for (const [name, times] of Object.entries(more)) add(counts, name, times);
};
