import type { Session } from '../transaction/session';
import type { CounterChange } from './counter-change';
import { changeRow } from './counter-row';
import { changeSlots } from './counter-slots';

/**
 * Changes a counter, where its units are: in its row, or spread over slots.
 *
 * @returns the row as it is then, for the model's hydrator; undefined when it may not have been touched
 * @throws CounterExhaustedError, RecordNotFoundError
 */
export function changeCounter(session: Session, change: CounterChange): Promise<string[] | undefined> {
  return change.counter.slots === undefined ? changeRow(session, change) : changeSlots(session, change);
}
