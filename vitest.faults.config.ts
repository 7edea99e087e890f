/** Faults on real databases, for `npm run test:faults`: processes killed and stopped, servers crashed, connections cut. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['packages/server/faults/**/*.test.ts'],
    globalSetup: ['packages/server/test/postgres-global-setup.ts'],
    testTimeout: 300_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    // Each round says what it met, and by which seed it comes again.
    disableConsoleIntercept: true,
    env: { FIELDSEAL_FAULT_SEED: process.env['FIELDSEAL_FAULT_SEED'] ?? String(Date.now() >>> 0) },
  },
});
