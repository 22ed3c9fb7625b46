import { translateDatabaseError } from '../database/sqlstate';

/** @param touched the records that the transaction has changed, among other things that it may have to put back */
type Explanation = (error: unknown, touched: readonly object[]) => unknown;

let explain: Explanation = (error) => error;

/** For the layers that know which rule a deferred constraint stands beneath. */
export function explainCommitRefusalsWith(explanation: Explanation): void {
  explain = explanation;
}

/** What callers hear of an error with which COMMIT was answered. */
export function commitRefusal(error: unknown, touched: readonly object[]): unknown {
  return explain(translateDatabaseError(error), touched);
}
