const { availableParallelism } = require('node:os');

/** @type {import('jest').Config} */
module.exports = {
  // Three at least: much of the time a test waits for the server.
  maxWorkers: Math.max(3, availableParallelism()),
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  transform: { '\\.ts$': '@swc/jest' },
  moduleNameMapper: {
    '^bellwether$': '<rootDir>/framework/index.ts',
    '^bellwether/testing$': '<rootDir>/framework/testing/index.ts',
  },
  globalSetup: '<rootDir>/test/setup/start-server.ts',
  globalTeardown: '<rootDir>/test/setup/stop-server.ts',
  testTimeout: 60_000,
};
