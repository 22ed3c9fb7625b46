import { TransactionDoomedError } from './errors';

/**
 * Waits until all have ended, so that nothing is under way any more when one has failed.
 *
 * @throws the failure of the first, passing over those that are only the consequence of another one
 */
export async function allEnded<T>(underWay: readonly Promise<T>[]): Promise<T[]> {
  const failures = (await Promise.allSettled(underWay)).filter((outcome) => outcome.status === 'rejected');
  const failure = failures.find(({ reason }) => !(reason instanceof TransactionDoomedError)) ?? failures[0];
  if (failure) throw failure.reason as Error;
  return Promise.all(underWay);
}
