import type { StatementResult } from '../database/connection';
import { decisionToHold } from '../transaction/held-reads';
import type { Patience } from '../transaction/lock-wait';
import { executeLocking } from '../transaction/lock-wait';
import type { Session } from '../transaction/session';
import { selectHolding } from './held-select';
import type { LockWait, SelectPlan } from './plan';
import type { Selection } from './statements';
import { selectStatement } from './statements';

/** Runs a query's select: every read of the query interface goes through here. */
export function runSelect(session: Session, plan: SelectPlan, selection: Selection): Promise<StatementResult> {
  const decision = decisionToHold(session);
  return decision ? selectHolding(session, decision, plan, selection, select) : select(session, plan, selection);
}

function select(session: Session, plan: SelectPlan, selection: Selection): Promise<StatementResult> {
  const statement = selectStatement(plan, selection);
  if (!plan.lock) return session.execute(statement);
  const { strength, wait } = plan.lock;
  return executeLocking(session, statement, patienceOf(wait), `The lock ${strength} on ${plan.schema.name}`);
}

function patienceOf(wait: LockWait | undefined): Patience {
  if (typeof wait === 'object') return wait.timeoutMs;
  return wait === 'nowait' ? 'none' : 'endless';
}
