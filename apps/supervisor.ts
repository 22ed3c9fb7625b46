import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Notice } from './web/main';

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
/** One that has lived so long is not one that cannot start. */
const STEADY_MS = 60_000;
/** How long a process may take to end; then it is killed. */
const PATIENCE_MS = 20_000;

export interface Task {
  readonly name: string;
  /** Path of the script that the process runs. */
  readonly script: string;
  readonly env: NodeJS.ProcessEnv;
}

export interface TaskState {
  readonly name: string;
  readonly state: 'starting' | 'running' | 'waits to be started again' | 'ended';
  /** Where it serves, once it has said so. */
  readonly url: string | undefined;
  readonly pid: number | undefined;
  /** How often it had to be started again. */
  readonly restarts: number;
  /** How it ended last, in words. */
  readonly lastEnd: string | undefined;
}

/**
 * Keeps a process running: one that ends is started again, after a pause that grows. It ends when this process ends,
 * however: its channel to it closes, and that is what it waits for.
 */
export class Supervised {
  readonly #task: Task;
  readonly #say: (line: string) => void;
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #pauseMs = FIRST_PAUSE_MS;
  #state: TaskState;
  #isStopped = false;

  constructor(task: Task, say: (line: string) => void) {
    this.#task = task;
    this.#say = say;
    this.#state = {
      name: task.name,
      state: 'starting',
      url: undefined,
      pid: undefined,
      restarts: 0,
      lastEnd: undefined,
    };
    this.#start();
  }

  get state(): TaskState {
    return this.#state;
  }

  /** Resolves when the process is gone. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child?.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    const timer = setTimeout(() => child?.kill('SIGKILL'), PATIENCE_MS);
    await this.#ended;
    clearTimeout(timer);
    this.#change({ state: 'ended', url: undefined, pid: undefined });
  }

  #start(): void {
    const { name, script, env } = this.#task;
    const begunAt = performance.now();
    const child = fork(script, [], {
      env,
      execArgv: ['--enable-source-maps'],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#child = child;
    this.#change({ state: 'starting', pid: child.pid, url: undefined });
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => this.#say(`${name}: ${line}`));
    }
    child.on('message', (notice: Notice) => {
      if (notice.kind === 'open') this.#change({ state: 'running', url: notice.url });
    });
    child.once('spawn', () => this.#task.env.PORT === undefined && this.#change({ state: 'running' }));
    child.once('error', (error) => this.#say(`${name}: ${error.message}`));
    this.#ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        resolve();
        if (!this.#isStopped) this.#startAgain(signal ?? `status ${code}`, performance.now() - begunAt);
      });
    });
  }

  #startAgain(how: string, livedMs: number): void {
    if (livedMs > STEADY_MS) this.#pauseMs = FIRST_PAUSE_MS;
    const pauseMs = this.#pauseMs;
    this.#pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    const { name, restarts } = this.#state;
    this.#say(`${name}: has ended (${how}); it is started again in ${pauseMs / 1000} s.`);
    this.#change({
      state: 'waits to be started again',
      url: undefined,
      pid: undefined,
      lastEnd: how,
      restarts: restarts + 1,
    });
    this.#timer = setTimeout(() => this.#start(), pauseMs);
  }

  #change(change: Partial<TaskState>): void {
    this.#state = { ...this.#state, ...change };
  }
}
