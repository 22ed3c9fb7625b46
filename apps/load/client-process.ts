import { runProcess } from '../web/main';
import { mixOf } from './applications';
import { runClients } from './clients';
import type { ClientsOptions, LoadReport } from './clients';

/** What the process is to do; sent to it when it says that it is ready. */
export interface Order extends Omit<ClientsOptions, 'onProgress'> {
  readonly stage: unknown;
}
export type Word =
  | { readonly kind: 'ready' }
  | { readonly kind: 'progress'; readonly ended: number }
  | { readonly kind: 'report'; readonly report: LoadReport };

const TELL_MS = 250;
const MOST_SESSIONS = 20;

const tell = (word: Word) =>
  new Promise<void>((resolve, reject) =>
    process.send?.(word, (error: Error | null) => (error ? reject(error) : resolve())),
  );

runProcess('load', async (closing) => {
  const [name = '', clients = '1'] = process.argv.slice(2);
  const mix = await mixOf(name);
  const db = await mix.open({ poolSize: Math.min(MOST_SESSIONS, Number(clients)) });
  try {
    const ordered = new Promise<Order | undefined>((resolve) => {
      process.once('message', (order: Order) => resolve(order));
      closing.addEventListener('abort', () => resolve(undefined), { once: true });
    });
    await tell({ kind: 'ready' });
    const order = await ordered;
    if (!order) return;
    let ended = 0;
    const timer = setInterval(() => {
      void tell({ kind: 'progress', ended });
      ended = 0;
    }, TELL_MS);
    const report = await runClients(db, mix, order.stage, { ...order, onProgress: () => ended++ });
    clearInterval(timer);
    await tell({ kind: 'report', report });
  } finally {
    await db.close();
  }
});
