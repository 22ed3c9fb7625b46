import type { StatementResult } from '../database/connection';
import type { Patience } from '../transaction/lock-wait';
import { executeLocking } from '../transaction/lock-wait';
import type { Session } from '../transaction/session';
import type { LockWait, SelectPlan } from './plan';
import type { Selection } from './statements';
import { selectStatement } from './statements';

/** Runs a query's select: every read of the query interface goes through here. */
export function runSelect(session: Session, plan: SelectPlan, selection: Selection): Promise<StatementResult> {
  const statement = selectStatement(plan, selection);
  if (!plan.lock) return session.execute(statement);
  const { strength, wait } = plan.lock;
  const what = `The lock ${strength} on ${plan.schema.name}`;
  return executeLocking(session, { ...statement, locks: true }, patienceOf(wait), what);
}

function patienceOf(wait: LockWait | undefined): Patience {
  if (typeof wait === 'object') return wait.timeoutMs;
  return wait === 'nowait' ? 'none' : 'endless';
}
