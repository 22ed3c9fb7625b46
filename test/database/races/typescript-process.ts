import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../../..');

// Runs in the child, before the program: TypeScript as jest compiles it, `bellwether` from its sources.
const LOADER = `
  const { readFileSync } = require('node:fs');
  const Module = require('node:module');
  const { transformSync } = require('@swc/core');
  const sources = ${JSON.stringify({ bellwether: join(ROOT, 'framework/index.ts') })};
  const find = Module._resolveFilename;
  Module._resolveFilename = (request, ...others) => sources[request] ?? find(request, ...others);
  require.extensions['.ts'] = (module, filename) =>
    module._compile(transformSync(readFileSync(filename, 'utf8'), { filename }).code, filename);
`;

/** Runs the `main` that a TypeScript file exports in a process of its own, with a channel for messages. */
export function startProcess(file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  const program = `${LOADER} void require(${JSON.stringify(file)}).main(...process.argv.slice(1));`;
  return spawn(process.execPath, ['-e', program, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
}

/** The next message of a child process; its end without one is an error. */
export function messageOf(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (code) => reject(new Error(`The process ended with ${code} and said nothing.`)));
  });
}
