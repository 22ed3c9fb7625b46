import { BellwetherError } from '../core/errors';

/** A job, or a schedule, is declared in a way that cannot work. */
export class InvalidJobError extends BellwetherError {
  override readonly code = 'E_INVALID_JOB';
  override readonly recovery = 'fix-the-code';
}

/** A payload holds what JSON cannot carry. */
export class InvalidPayloadError extends BellwetherError {
  override readonly code = 'E_INVALID_PAYLOAD';
  override readonly recovery = 'fix-the-code';

  constructor(job: string, path: string, found: string) {
    super({
      what: `The payload of ${job} is not a JSON object: ${path} is ${found}.`,
      remedy: 'Give the job ids and plain values: a bigint or a Date as text, and no records.',
      details: { job, path, found },
    });
  }
}

/** The database has no queue yet. */
export class JobsNotInstalledError extends BellwetherError {
  override readonly code = 'E_JOBS_NOT_INSTALLED';
  override readonly recovery = 'fix-the-setup';

  constructor(cause: unknown) {
    super({
      what: 'The queue of jobs is not installed in this database, or is of another version.',
      remedy: 'Run `bellwether jobs install`, call installJobs(db), or start a worker once: `bellwether work`.',
      cause,
    });
  }
}

/** The queue's tables could not be made. */
export class JobsInstallError extends BellwetherError {
  override readonly code = 'E_JOBS_INSTALL';
  override readonly recovery = 'fix-the-setup';
}

/**
 * Thrown by a handler that knows that trying again is of no use: the job is dead at once, and is listed with this
 * reason until it is replayed or discarded.
 */
export class GiveUpError extends BellwetherError {
  override readonly code = 'E_GIVE_UP';
  override readonly recovery = 'repair-the-effects';

  constructor(reason: string, cause?: unknown) {
    super({ what: reason, remedy: 'Mend the cause, then replay the job.', cause });
  }
}

/** Another worker has the job by now: this one was thought dead. Nothing of this run is committed. */
export class JobTakenOverError extends BellwetherError {
  override readonly code = 'E_JOB_TAKEN_OVER';
  override readonly recovery = 'try-later';

  constructor(job: string, jobId: bigint) {
    super({
      what: `Job ${jobId} (${job}) is no longer this worker's: the worker was out of touch for too long.`,
      remedy: 'Nothing needs to be done: another worker runs the job. If it happens often, raise takeOverAfterMs.',
      details: { job, jobId },
    });
  }
}

/** The workers were told to stop, and handlers did not end in time. Their jobs stay theirs until they do. */
export class JobsStillRunningError extends BellwetherError {
  override readonly code = 'E_JOBS_STILL_RUNNING';
  override readonly recovery = 'fix-the-code';

  constructor(jobs: readonly string[], waitedMs: number) {
    super({
      what: `${jobs.length} job(s) had not ended ${waitedMs} ms after the workers were told to stop: ${jobs.join(', ')}.`,
      remedy:
        "Heed the handler's signal, or wait longer with stopTimeoutMs; other workers run them when this process ends.",
      details: { jobs, waitedMs },
    });
  }
}

/** The process could not show a sign of life for so long that other workers may have taken its jobs. */
export class LeaseLostError extends BellwetherError {
  override readonly code = 'E_LEASE_LOST';
  override readonly recovery = 'try-later';

  constructor(cause?: unknown) {
    super({
      what: 'The workers were out of touch with the database for too long, and others may have their jobs by now.',
      remedy: 'Nothing needs to be done: the workers start anew. If it happens often, raise takeOverAfterMs.',
      cause,
    });
  }
}
