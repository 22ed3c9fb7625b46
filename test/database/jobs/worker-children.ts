import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { startProcess } from '../races/typescript-process';
import type { Message } from './worker-process';

/** A worker's process, what it has said, and its end. */
export function startWorker(...args: string[]) {
  const child = startProcess(join(__dirname, 'worker-process.ts'), args);
  return { child, says: teller(child), ended: endOf(child) };
}

const endOf = (child: ChildProcess) =>
  new Promise<string | number | null>((resolve) => child.once('exit', (code, name) => resolve(name ?? code)));

/** Waits for a message like this one; a process that ends without one is an error. */
function teller(child: ChildProcess): (matches: (message: Message) => boolean) => Promise<Message> {
  const said: Message[] = [];
  child.on('message', (message: Message) => said.push(message));
  return (matches) =>
    new Promise((resolve, reject) => {
      const look = () => {
        const found = said.find(matches);
        if (found !== undefined) resolve(found);
      };
      child.on('message', look);
      child.once('exit', (code) => reject(new Error(`The process ended with ${code} and did not say it.`)));
      look();
    });
}

export const isReady = (message: Message) => message === 'ready';
export const isHolding = (message: Message) => typeof message === 'object' && 'holding' in message;
export const tookOver = (message: Message) => typeof message === 'object' && 'takenOver' in message;
