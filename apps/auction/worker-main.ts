import { once } from 'node:events';
import { runProcess } from '../web/main';
import { openAuction } from './database';
import { startAuctionWorkers } from './workers';

const CONCURRENCY = 4;

const complain = (line: string) => void process.stderr.write(`${line}\n`);

// The auction's jobs, until Ctrl-C, SIGTERM, or the end of the process that has started this one.
runProcess('auction worker', async (closing) => {
  const db = await openAuction({ onProgress: complain, applicationName: 'auction worker', poolSize: CONCURRENCY + 2 });
  try {
    const workers = await startAuctionWorkers(db, { concurrency: CONCURRENCY });
    process.stdout.write('The auction’s jobs are being done.\n');
    if (!closing.aborted) await once(closing, 'abort');
    await workers.stop();
  } finally {
    await db.close();
  }
});
