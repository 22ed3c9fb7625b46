import { randomBytes } from 'node:crypto';
import { startEmbedded } from '../../framework/embedded/embedded-server';
import { ADMIN_URL_VARIABLE, RUN_VARIABLE } from '../../framework/testing/test-database';

/** One server for the whole run: TEST_DATABASE_URL's, or the embedded one; its workers learn of it by environment. */
export default async function startServer(): Promise<void> {
  const onProgress = (step: string) => void process.stderr.write(`test server: ${step}\n`);
  const url = process.env.TEST_DATABASE_URL ?? (await startEmbedded({ purpose: 'test', onProgress })).url;
  process.env[ADMIN_URL_VARIABLE] = url;
  process.env[RUN_VARIABLE] = `${process.pid}_${randomBytes(3).toString('hex')}`;
}
