import { dropTestDatabases, testServerUrl } from '../../framework/testing/test-database';

/** Removes what the run's files left. The server ends by itself when the last process that uses it has ended. */
export default async function stopServer(): Promise<void> {
  await dropTestDatabases(await testServerUrl());
}
