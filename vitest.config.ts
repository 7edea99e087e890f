import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // Most tests wait for processes and databases that they started; one worker more than two cores keeps those busy.
    maxWorkers: 3,
    projects: [
      { test: { name: 'fieldseal', include: ['packages/fieldseal/test/**/*.test.ts'], testTimeout: 30_000 } },
      {
        test: {
          name: 'server',
          include: ['packages/server/test/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          globalSetup: ['packages/server/test/postgres-global-setup.ts'],
        },
      },
      { test: { name: 'repository', include: ['test/**/*.test.ts'], testTimeout: 120_000 } },
    ],
  },
});
