import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { BellwetherError } from 'bellwether';
import type { Order, Report } from './attack-worker';
import { addTallies, NO_TALLY } from './drill';
import type { Drill, Tally, Variant } from './drill';

export interface AttackPlan {
  readonly transfers: number;
  readonly processes: number;
  /** Connections of each process. */
  readonly pool: number;
}

/** A process of the attack could not do its part. */
export class AttackProcessError extends BellwetherError {
  override readonly code = 'E_ATTACK_PROCESS';
  override readonly recovery = 'fix-the-setup';

  constructor(message: string) {
    super({
      what: `A process of the attack ended early: ${message.split('\n')[0]}`,
      remedy: 'See that the database has processes × pool connections to give (max_connections), or ask for fewer.',
    });
  }
}

/**
 * The same attack from several processes: all connect first, then all fire at once.
 *
 * @returns the tally of all, and the time from the first shot to the last answer
 */
export async function fireFromProcesses(
  { fromId, toId }: Drill,
  variant: Variant,
  { transfers, processes, pool }: AttackPlan,
  onProgress: (tally: Tally) => void,
): Promise<{ readonly tally: Tally; readonly elapsedMs: number }> {
  const drill = { fromId: String(fromId), toId: String(toId) };
  const shares = Array.from({ length: processes }, (_, n) => Math.floor((transfers + n) / processes));
  const workers = shares.map(() => fork(join(__dirname, `attack-worker${__filename.slice(-3)}`)));
  const tallies = shares.map(() => NO_TALLY);
  try {
    const ready = workers.map((worker) => until(worker, ({ kind }) => kind === 'ready'));
    workers.forEach((worker, n) => {
      worker.send({ drill, variant, transfers: shares[n]!, poolSize: pool } satisfies Order);
    });
    await Promise.all(ready);
    const begunAt = performance.now();
    const done = workers.map((worker, n) =>
      until(worker, (report) => {
        if ('tally' in report) tallies[n] = report.tally;
        onProgress(tallies.reduce(addTallies));
        return report.kind === 'done';
      }),
    );
    for (const worker of workers) worker.send('fire');
    await Promise.all(done);
    const elapsedMs = performance.now() - begunAt;
    await Promise.all(workers.map(ended));
    return { tally: tallies.reduce(addTallies), elapsedMs };
  } finally {
    for (const worker of workers) worker.kill();
  }
}

/** Waits for the report that `isIt` knows. @throws AttackProcessError when the process ends before */
function until(worker: ChildProcess, isIt: (report: Report) => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (how: () => void) => {
      worker.off('message', hear).off('exit', leave);
      how();
    };
    const hear = (report: Report) => {
      if (report.kind === 'failed') settle(() => reject(new AttackProcessError(report.message)));
      else if (isIt(report)) settle(resolve);
    };
    const leave = (code: number | null, signal: string | null) =>
      settle(() => reject(new AttackProcessError(signal ?? `exit status ${code}`)));
    worker.on('message', hear).on('exit', leave);
  });
}

function ended(worker: ChildProcess): Promise<unknown> {
  if (worker.exitCode !== null || worker.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => worker.once('exit', resolve));
}
