import type { EventBus } from '../telemetry/events';
import { runOutside } from './context';
import type { Effect } from './scope';

/**
 * Runs each once, in order, outside of any transaction. One that fails is told as an event, and does not stop the next.
 *
 * @returns what went wrong
 */
export async function runEffects(
  effects: readonly Effect[],
  facts: { readonly transactionId: number; readonly after: 'commit' | 'rollback' },
  bus: EventBus,
): Promise<readonly unknown[]> {
  const failures: unknown[] = [];
  for (const effect of effects) {
    try {
      await runOutside(effect);
    } catch (error) {
      failures.push(error);
      bus.emit('effect:failed', { ...facts, error });
    }
  }
  return failures;
}
