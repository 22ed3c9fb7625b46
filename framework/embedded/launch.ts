import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { SupervisorFailedError, unpackError } from './errors';
import { supervisorLogFile, type Place } from './folders';
import type { BootMessage } from './supervisor';

/**
 * Starts a supervisor, detached: it outlives this process, and a Ctrl-C in this terminal does not reach it.
 *
 * @returns when it grants leases, or when another supervisor has the claim
 * @throws what kept it from starting
 */
export async function launchSupervisor(place: Place, onProgress: (step: string) => void): Promise<void> {
  const log = openSync(supervisorLogFile(place), 'a', 0o600);
  const child = spawn(process.execPath, [...program(place), JSON.stringify(place)], {
    detached: true,
    windowsHide: true,
    cwd: '/',
    env: supervisorEnvironment(),
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);
  try {
    await booted(child, place, onProgress);
  } finally {
    if (child.connected) child.disconnect();
    child.unref();
  }
}

/** The compiled file, or, where Bellwether runs from its TypeScript sources (its own tests), through jiti. */
function program({ stateFolder }: Place): string[] {
  const compiled = join(__dirname, 'supervisor-process.js');
  if (existsSync(compiled)) return [compiled];
  const source = join(__dirname, 'supervisor-process.ts');
  if (!existsSync(source)) throw new SupervisorFailedError({ stateFolder, reason: `${compiled} was not bundled` });
  const load = `require(${JSON.stringify(require.resolve('jiti'))}).createJiti(${JSON.stringify(source)})`;
  return ['-e', `${load}.import(${JSON.stringify(source)})`, '--'];
}

/** Without what would make a debugger, a coverage tool or a loader of the caller's sit in the supervisor too. */
function supervisorEnvironment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _options, NODE_V8_COVERAGE: _coverage, NODE_CHANNEL_FD: _channel, ...env } = process.env;
  return env;
}

function booted(child: ChildProcess, place: Place, onProgress: (step: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (reason: string, cause?: unknown) =>
      reject(new SupervisorFailedError({ stateFolder: place.stateFolder, reason }, cause));
    child.on('error', (error) => failed(error.message, error));
    child.on('exit', (status, signal) => failed(signal ? `killed by ${signal}` : `status ${status}`));
    child.on('message', (message: BootMessage) => {
      if (message.kind === 'progress') return onProgress(message.step);
      if (message.kind === 'failed') return reject(unpackError(message.error));
      resolve();
    });
  });
}
