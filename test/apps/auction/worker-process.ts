import { openAuction } from '../../../apps/auction/database';
import { startAuctionWorkers } from '../../../apps/auction/workers';

/** Started by a test with the database's address, a name to be known by there, and the bell's address. */
export async function main(url: string, applicationName: string, bellUrl: string): Promise<void> {
  process.env.BELL_URL = bellUrl;
  const db = await openAuction({ url, applicationName, poolSize: 6 });
  const workers = await startAuctionWorkers(db, { takeOverAfterMs: 300, pollIntervalMs: 200 });
  process.send!('ready');
  process.once('message', () => {
    void workers
      .stop()
      .then(() => db.close())
      .then(() => process.disconnect());
  });
}
