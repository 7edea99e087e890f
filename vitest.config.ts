import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
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
