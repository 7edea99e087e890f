/** The library's own tests, for `npm run mutation`: without those that start other programs or walk long vectors. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['packages/fieldseal/test/{core,keys,fields}/**/*.test.ts'],
    exclude: ['**/python-interop.test.ts', '**/*-types.test.ts'],
    setupFiles: ['packages/fieldseal/test/few-runs.ts'],
    testTimeout: 30_000,
  },
});
