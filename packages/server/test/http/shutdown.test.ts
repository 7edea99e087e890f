/** How a service starts and ends. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { Fernet } from 'fieldseal';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { openStore } from '../../src/store/open-store.ts';
import { sealingLag } from '../../src/usecases/seal-audit.ts';
import { onPostgres, onSqlite, type RunningService, withService } from './with-service.ts';

const API = '/api/encryption';

/** Returns once the service has written the word so many times. */
async function written(service: RunningService, word: string, times = 1): Promise<void> {
  while (service.output().split(word).length <= times) await setTimeout(5);
}

/** A connection that the service keeps open after a request, as a proxy's. */
async function keptAlive(url: string) {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
  const [answer] = await once(socket, 'data');
  expect(String(answer)).toContain('200 OK');
  return socket;
}

/** Holds a lock that a new API key has to wait for, until it is told to let go. */
type Hold = (service: RunningService) => Promise<() => Promise<void>>;

const holdSqlite: Hold = async ({ project }) => {
  const { default: Database } = await import('better-sqlite3');
  const db = new Database(project.file);
  db.exec('BEGIN IMMEDIATE');
  return async () => {
    db.exec('COMMIT');
    db.close();
  };
};

const holdPostgres: Hold = async ({ env }) => {
  const client = new pg.Client(env['DATABASE_URL']);
  await client.connect();
  await client.query(`BEGIN; LOCK TABLE ${env['DATABASE_SCHEMA']}.api_keys IN EXCLUSIVE MODE`);
  return async () => {
    await client.query('COMMIT');
    await client.end();
  };
};

/** Rows that an ended service left unsealed. */
async function unsealedRows({ project }: RunningService): Promise<number> {
  const store = await openStore({ dialect: 'sqlite', file: project.file }, { schema: 'fieldseal' });
  try {
    return (await sealingLag(store)).rows;
  } finally {
    await store.close();
  }
}

/** That `/readyz` is 503 within its two seconds while the database does not answer, and 200 once it does. */
async function expectUnreadyBehindLock(service: RunningService): Promise<void> {
  const client = new pg.Client(service.env['DATABASE_URL']);
  await client.connect();
  // As a migration of a newer version would.
  await client.query(
    `BEGIN; LOCK TABLE ${service.env['DATABASE_SCHEMA']}.fieldseal_migrations IN ACCESS EXCLUSIVE MODE`,
  );
  const { status, body, headers } = await service.request('GET', '/readyz');
  expect([status, body.code, headers.get('retry-after')]).toEqual([503, 'ERR_UNAVAILABLE', '1']);
  expect((await service.request('GET', '/healthz')).status).toBe(200);
  await client.query('COMMIT');
  await client.end();
  while ((await service.request('GET', '/readyz')).status !== 200) await setTimeout(20);
}

describe.each([
  ['SQLite', onSqlite, holdSqlite],
  ['PostgreSQL', onPostgres, holdPostgres],
] as const)('on %s', (_name, place, hold) => {
  test('SIGTERM: the request under way is answered, kept connections are closed, no new one is taken, the exit code is 0; a second signal ends at once', async () => {
    await withService(place, {}, async (service) => {
      const token = await service.token('1');
      const create = () => service.request('POST', `${API}/keys`, { token, body: { name: 'slow' } });
      if (service.env['DATABASE_SCHEMA'] !== undefined) await expectUnreadyBehindLock(service);
      const idle = await keptAlive(service.url);
      const closed = once(idle, 'close');
      let letGo = await hold(service);
      const slow = create();
      // It has arrived once another request behind it was answered.
      await service.request('GET', '/healthz');
      const ended = service.end('SIGTERM');
      await written(service, 'shutdown_started');
      await closed;
      await expect(service.request('GET', '/readyz')).rejects.toThrow();
      await letGo();
      expect((await slow).status).toBe(201);
      expect(await ended).toBe(0);
      // On PostgreSQL, transactions of other tests may hold sealing back.
      if (service.env['DATABASE_SCHEMA'] === undefined) expect(await unsealedRows(service)).toBe(0);

      await service.restart();
      letGo = await hold(service);
      const lost = create().catch((error: unknown) => error);
      await service.request('GET', '/healthz');
      const first = service.end('SIGTERM');
      await written(service, 'shutdown_started', 2);
      expect([await service.end('SIGINT'), await first]).toEqual([null, null]);
      expect(await lost).toBeInstanceOf(TypeError);
      await letGo();
    });
  });
});

test('while DRAIN_SECONDS last, requests are answered and /readyz is 503', async () => {
  await withService(onSqlite, { serveEnv: { DRAIN_SECONDS: '600' } }, async (service) => {
    const token = await service.token('1');
    const ended = service.end('SIGTERM');
    await written(service, 'shutdown_started');
    expect((await service.request('GET', '/readyz')).status).toBe(503);
    expect((await service.request('POST', `${API}/keys`, { token, body: { name: 'late' } })).status).toBe(201);
    await Promise.all([ended, service.end('SIGTERM')]);
  });
});

test('the start stops with one line that names the variable whose key is another than the keyring’s', async () => {
  const root = Fernet.generateKey();
  await withService(onSqlite, { serveEnv: { ROOT_KEY: root } }, async ({ project, env }) => {
    const start = async (changes: Record<string, string | undefined>) => {
      const { exitCode, stderr } = await project.fieldseal('serve', { env: { ...env, PORT: '0', ...changes } });
      return [exitCode, stderr];
    };
    const line = (sentence: string, code = 'ERR_KEYRING_ROOT') => [2, `fieldseal: ${sentence} [${code}]\n`];
    expect(await start({ ROOT_KEY: Fernet.generateKey() })).toEqual(
      line('The stored keyring is not wrapped under ROOT_KEY; set ROOT_KEY to the key that it was made with.'),
    );
    expect(await start({ ENCRYPTION_KEY: Fernet.generateKey(), ROOT_KEY: undefined })).toEqual(
      line(
        'The stored keyring is not wrapped under ENCRYPTION_KEY; set ENCRYPTION_KEY to the key that it was made with.',
      ),
    );
    expect(await start({ ENCRYPTION_KEY: Fernet.generateKey(), ROOT_KEY: root })).toEqual(
      line('ENCRYPTION_KEY (or OLD) is not a key of the stored keyring; give one that is.'),
    );
    expect(await start({ ROOT_KEY: root, MAX_REPLICATION_LAG_SECONDS: '10' })).toEqual(
      line('MAX_REPLICATION_LAG_SECONDS is for PostgreSQL; a SQLite file has no standbys.', 'ERR_USAGE'),
    );
  });
});
