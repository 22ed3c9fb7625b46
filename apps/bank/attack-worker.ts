import { connect } from 'bellwether';
import { fire } from './drill';
import type { Drill, Tally, Variant } from './drill';

// One process of several that attack at once. It connects, says so, and fires when it is told to.

export interface Order {
  readonly drill: { readonly fromId: string; readonly toId: string };
  readonly variant: Variant;
  readonly transfers: number;
  readonly poolSize: number;
}
export type Report =
  { readonly kind: 'ready' } | { readonly kind: 'progress' | 'done'; readonly tally: Tally } | FailedReport;
interface FailedReport {
  readonly kind: 'failed';
  readonly message: string;
}

const REPORT_EVERY_MS = 50;
/** Thousands may wait for the pool's few connections at once: that is the point, and not an error. */
export const ATTACK_ACQUIRE_TIMEOUT_MS = 600_000;

async function work({ drill, variant, transfers, poolSize }: Order): Promise<void> {
  const db = await connect({
    poolSize,
    acquireTimeoutMs: ATTACK_ACQUIRE_TIMEOUT_MS,
    applicationName: 'bank attack',
  });
  try {
    const told = new Promise((resolve) => process.once('message', resolve));
    send({ kind: 'ready' });
    await told;
    let reportedAt = 0;
    const parties: Drill = { fromId: BigInt(drill.fromId), toId: BigInt(drill.toId) };
    const onProgress = (soFar: Tally) => {
      if (performance.now() - reportedAt < REPORT_EVERY_MS) return;
      reportedAt = performance.now();
      send({ kind: 'progress', tally: soFar });
    };
    const tally = await fire(parties, variant, transfers, { onProgress });
    send({ kind: 'done', tally });
  } finally {
    await db.close();
  }
}

const send = (report: Report) => void process.send?.(report);

if (require.main === module) {
  process.once('disconnect', () => process.exit()); // whoever wanted the attack is gone
  process.once('message', (order) => {
    work(order as Order)
      .catch((error: unknown) => {
        send({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
        process.exitCode = 1;
      })
      .finally(() => process.disconnect());
  });
}
