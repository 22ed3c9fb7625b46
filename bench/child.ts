import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { Reply, Request, SubjectName } from './worker';

/** An implementation in a process of its own, asked one thing at a time. */
export class Child {
  readonly name: SubjectName;
  readonly #process: ChildProcess;

  private constructor(name: SubjectName) {
    this.name = name;
    this.#process = fork(join(__dirname, 'worker.js'));
  }

  static async open(subject: SubjectName, url: string): Promise<Child> {
    const child = new Child(subject);
    await child.#ask({ kind: 'open', subject, url });
    return child;
  }

  /** @returns milliseconds */
  async batch(scenario: number, first: number, count: number): Promise<number> {
    return (await this.#ask({ kind: 'batch', scenario, first, count })) as number;
  }

  async answer(scenario: number): Promise<string> {
    return (await this.#ask({ kind: 'answer', scenario })) as string;
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.send({ kind: 'close' } satisfies Request);
    await ended;
  }

  #ask(request: Request): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const onExit = (code: number | null) => reject(new Error(`${this.name}: its process ended with ${code}.`));
      this.#process.once('exit', onExit);
      this.#process.once('message', (reply: Reply) => {
        this.#process.off('exit', onExit);
        if ('error' in reply) reject(new Error(`${this.name}: ${reply.error}`));
        else resolve(reply.value);
      });
      this.#process.send(request);
    });
  }
}
