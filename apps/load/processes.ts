import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Order, Word } from './client-process';
import type { LoadReport } from './clients';

export interface ProcessesOptions {
  /** Name of the application. */
  readonly name: string;
  readonly processes: number;
  /** In all processes together. */
  readonly clients: number;
  readonly seconds: number;
  readonly seed: number;
  readonly stage: unknown;
  readonly onProgress: (ended: number) => void;
}

/** Runs the clients in processes of their own, which begin together. @throws Error when one of them dies */
export async function runProcesses(options: ProcessesOptions): Promise<LoadReport[]> {
  const { name, processes, clients, seconds, seed, stage, onProgress } = options;
  const shares = Array.from(
    { length: processes },
    (_, index) => Math.floor(clients / processes) + (index < clients % processes ? 1 : 0),
  ).filter((share) => share > 0);
  const children = shares.map((share) =>
    fork(join(__dirname, 'client-process.js'), [name, String(share)], {
      execArgv: ['--enable-source-maps'],
      serialization: 'advanced',
    }),
  );
  try {
    await Promise.all(children.map((child) => hear(child, 'ready')));
    const reports = children.map((child) => hear(child, 'report', onProgress));
    children.forEach((child, index) => {
      child.send({ stage, clients: shares[index]!, durationMs: seconds * 1000, seed: seed + index } satisfies Order);
    });
    return (await Promise.all(reports)).map(({ report }) => report);
  } finally {
    await Promise.all(children.map(end));
  }
}

/** Waits for the word, or for the end of the process, which is then too early. */
function hear<K extends Word['kind']>(
  child: ChildProcess,
  kind: K,
  onProgress?: (ended: number) => void,
): Promise<Extract<Word, { kind: K }>> {
  return new Promise((resolve, reject) => {
    child.on('message', (word: Word) => {
      if (word.kind === kind) resolve(word as Extract<Word, { kind: K }>);
      if (word.kind === 'progress') onProgress?.(word.ended);
    });
    child.once('exit', (code, signal) => reject(new Error(`A client process has ended early (${signal ?? code}).`)));
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
