/** Rotations listed, paused, resumed, cancelled and failed over HTTP, while they are under way. */
import { setTimeout } from 'node:timers/promises';
import { Fernet } from 'fieldseal';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { finishedRotation } from './rotation.ts';
import { type Answer, onPostgres, onSqlite, type RunningService, withService } from './with-service.ts';

const API = '/api/encryption';
const PLACES = [
  ['SQLite', onSqlite],
  ['PostgreSQL', onPostgres],
] as const;
const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);

/** Statements on the service's own tables. */
async function sql({ env, project }: RunningService, text: string): Promise<void> {
  const url = env['DATABASE_URL'] as string;
  if (!url.startsWith('postgres')) {
    project.db((db) => db.exec(text));
    return;
  }
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`set search_path to "${env['DATABASE_SCHEMA']}"`);
  await client.query(text);
  await client.end();
}

/** A process that never loads a new key: a rotation waits for it, and can be looked at in peace. */
async function holdUp(service: RunningService): Promise<void> {
  const now = service.env['DATABASE_URL']?.startsWith('postgres')
    ? 'extract(epoch from now())::bigint'
    : "unixepoch('now')";
  await sql(service, `INSERT INTO keyring_readers VALUES ('elsewhere', 0, ${now} + 3600)`);
}
const letGo = (service: RunningService) => sql(service, 'DELETE FROM keyring_readers');

/** The service with an admin's token and one API key to rotate. */
async function withAdmin(
  place: (typeof PLACES)[number][1],
  work: (
    service: RunningService,
    call: (method: string, path: string, body?: unknown) => Promise<Answer>,
    token: string,
  ) => Promise<void>,
): Promise<void> {
  await withService(place, {}, async (service) => {
    const token = await service.token('root', '--admin');
    await service.request('POST', `${API}/keys`, { token, body: { name: 'a' } });
    const call = (method: string, path: string, body?: unknown) =>
      service.request(method, `${API}${path}`, { token, ...(body !== undefined && { body }) });
    await work(service, call, token);
  });
}

const WAITS = 'It waits for 1 process(es) to load the new keyring.';

describe.each(PLACES)('a rotation on %s', (_name, place) => {
  test(
    'is paused and resumed while it is under way, says why it waits, and reports by column',
    { timeout: 120_000 },
    () =>
      withAdmin(place, async (service, call, token) => {
        await holdUp(service);
        expect((await call('POST', '/rotate', { notes: 'why' })).status).toBe(202);
        const waiting = async (because: string | null) => {
          for (;;) {
            const { body } = await call('GET', '/rotations/1');
            if (body.waits_because === because) return body;
            await setTimeout(20);
          }
        };
        const shown = {
          id: 1,
          old_key_version: 'v1',
          new_key_version: 'v2',
          timestamp: TIME,
          total_records: 0,
          rotated_records: 0,
          failed_records: 0,
          skipped_records: 0,
          progress_percent: 0,
          initiated_by: 'root',
          notes: 'why',
          updated_at: TIME,
          completed_at: null,
        };
        expect(await waiting(WAITS)).toEqual({
          ...shown,
          rotation_status: 'in_progress',
          waits_because: WAITS,
          error_details: WAITS,
          columns: null,
          unreadable: null,
        });
        // Nobody resumes or fails what a process is driving.
        for (const verb of ['resume', 'fail']) {
          const { status, body } = await call('POST', `/rotations/1/${verb}`);
          expect([status, body.code, body.detail]).toEqual([
            409,
            'ERR_RUN_DRIVEN',
            'A process is driving rotation 1; pause it first.',
          ]);
        }

        const paused = await call('POST', '/rotations/1/pause', {});
        expect(paused).toMatchObject({ status: 200 });
        expect(paused.body).toEqual({
          ...shown,
          rotation_status: 'paused',
          waits_because: 'Somebody paused it.',
          error_details: null,
        });
        expect((await call('GET', '/rotations')).body).toEqual([paused.body]);
        await letGo(service);

        const resumed = await call('POST', '/rotations/1/resume');
        expect(resumed.body).toMatchObject({ rotation_status: 'pending', waits_because: 'No process drives it yet.' });
        await finishedRotation(service, 1, token);
        const { body } = await call('GET', '/rotations/1');
        const column = { table: expect.stringMatching(/api_keys$/), column: 'encrypted_key' };
        expect(body).toEqual({
          ...shown,
          rotation_status: 'completed',
          total_records: 1,
          rotated_records: 1,
          progress_percent: 100,
          completed_at: TIME,
          waits_because: null,
          error_details: null,
          columns: [
            {
              ...column,
              total_records: 1,
              rotated_records: 1,
              current_records: 0,
              skipped_records: 0,
              failed_records: 0,
              held: { v2: 1 },
            },
          ],
          unreadable: [],
        });
        const { body: logs } = await call('GET', '/audit-logs?resource_type=sweep_run');
        expect(logs.logs.map(({ action, user_id }: Record<string, unknown>) => `${action} ${user_id}`)).toEqual([
          'rotate_completed null',
          'run_resumed root',
          'run_paused root',
          'rotate_started root',
        ]);
        for (const verb of ['pause', 'resume', 'cancel', 'fail']) {
          const answer = await call('POST', `/rotations/1/${verb}`);
          expect([answer.status, answer.body.code, answer.body.detail]).toEqual([
            409,
            'ERR_RUN_OVER',
            'Rotation 1 is over: completed.',
          ]);
        }
      }),
  );

  test('is cancelled, and the next one takes the same key', { timeout: 120_000 }, () =>
    withAdmin(place, async (service, call, token) => {
      await holdUp(service);
      await call('POST', '/rotate');
      expect((await call('POST', '/rotations/1/cancel')).body).toMatchObject({
        rotation_status: 'cancelled',
        waits_because: null,
        completed_at: TIME,
      });
      await letGo(service);
      expect((await call('POST', '/rotate')).body.rotation_id).toBe(2);
      expect(await finishedRotation(service, 2, token)).toMatchObject({ new_key_version: 'v2' });
      expect((await call('GET', '/rotations?limit=1')).body).toMatchObject([{ id: 2 }]);
      const page = await service.request('GET', `${API}/rotations?limit=1`, { token });
      expect(page.headers.get('link')).toBe(`<${API}/rotations?limit=1&before=2>; rel="next"`);
      expect((await call('GET', '/rotations?limit=1&before=2')).body).toMatchObject([{ id: 1 }]);
    }),
  );

  test('that nobody drives is stalled, and can be failed with a reason, or resumed', { timeout: 120_000 }, () =>
    withAdmin(place, async (service, call, token) => {
      // As a process leaves it that died on another machine.
      await sql(
        service,
        `INSERT INTO encryption_key_rotations (kind, rotation_status, old_key_version, new_key_version, initiated_by, owner, lease_until)
           VALUES ('rotate', 'in_progress', 'v1', 'v2', 'cli', 'elsewhere:1:0', 1000)`,
      );
      expect((await call('GET', '/rotations')).body).toMatchObject([
        { rotation_status: 'stalled', waits_because: 'The process that drove it is gone.' },
      ]);
      expect((await call('POST', '/rotations/1/fail', { reason: 'the machine burned down' })).body).toMatchObject({
        rotation_status: 'failed',
        error_details: 'the machine burned down',
        waits_because: null,
      });
      const { body } = await call('GET', '/audit-logs?action=run_failed');
      expect(body.logs).toMatchObject([{ user_id: 'root', resource_id: 1, status: 'success' }]);

      await holdUp(service);
      await call('POST', '/rotate');
      await call('POST', '/rotations/2/pause');
      await sql(
        service,
        "UPDATE encryption_key_rotations SET rotation_status = 'in_progress', owner = 'elsewhere:1:0', lease_until = 1000 WHERE id = 2",
      );
      await letGo(service);
      expect((await call('GET', '/rotations/2')).body.rotation_status).toBe('stalled');
      expect((await call('POST', '/rotations/2/resume')).body.rotation_status).toBe('pending');
      expect((await finishedRotation(service, 2, token)).rotation_status).toBe('completed');
    }),
  );
});

describe.each(PLACES)('a rotation from OLD to NEW, on %s,', (_name, place) => {
  test('that was killed is left to whoever has the keys, and its two roots are in the way', { timeout: 120_000 }, () =>
    withAdmin(place, async (service, call) => {
      const { project } = service;
      const env = { ...service.env, NEW: project.keepSecret(Fernet.generateKey()) };
      const rotate = ['rotate', 'env:ENCRYPTION_KEY', 'env:NEW'] as const;
      await holdUp(service);
      const child = project.spawn(...rotate, { env });
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.stderr?.on('data', (text) => {
        if (String(text).includes('waiting for 1 process(es)')) child.kill('SIGKILL');
      });
      await gone;
      await letGo(service);
      await service.end('SIGTERM');
      await service.restart();

      const because = expect.stringContaining('finish it with `fieldseal rotate OLD NEW`');
      for (;;) {
        if (service.output().includes('"event":"sweep_ended"')) break;
        await setTimeout(20);
      }
      expect((await call('GET', '/rotations/1')).body).toMatchObject({
        rotation_status: 'stalled',
        waits_because: because,
      });
      const resumed = await call('POST', '/rotations/1/resume');
      expect([resumed.status, resumed.body.code, resumed.body.detail]).toEqual([
        409,
        'ERR_ROOT_CHANGE_UNFINISHED',
        'Rotation 1 moves to a key that this service was not given; finish it with `fieldseal rotate OLD NEW`.',
      ]);
      expect((await project.fieldseal(...rotate, { env })).exitCode).toBe(0);
      expect((await call('GET', '/rotations/1')).body.rotation_status).toBe('completed');

      const { status, body } = await call('POST', '/rotate');
      expect([status, body.code, body.detail]).toEqual([409, 'ERR_ROOT_CHANGE_UNFINISHED', because]);
      expect((await project.fieldseal(...rotate, '--finalize', { env })).exitCode).toBe(0);
    }),
  );
});

test('an id is a whole number in digits, and a body may be left out where there is nothing to say', () =>
  withAdmin(onSqlite, async (service, call) => {
    for (const id of ['4.7', '0x1', 'true', '1e0', '%201', '01', '0', '-1']) {
      const { status, body } = await call('GET', `/rotations/${id}`);
      expect([id, status, body.code]).toEqual([id, 400, 'ERR_INPUT_INVALID']);
      expect((await call('DELETE', `/keys/${id}`)).status).toBe(400);
    }
    const { body: api } = await service.request('GET', '/openapi.json');
    const required = (path: string, method = 'post') =>
      api.paths[`${API}${path}`][method].requestBody.required ?? false;
    for (const verb of ['pause', 'resume', 'cancel', 'fail']) {
      expect([verb, required(`/rotations/{id}/${verb}`)]).toEqual([verb, false]);
    }
    expect([required('/rotate'), required('/keys/{id}', 'delete'), required('/keys')]).toEqual([false, false, true]);
  }));

test('only an admin, or a key with the scope, sees and controls rotations', { timeout: 120_000 }, () =>
  withAdmin(onSqlite, async (service, call) => {
    const user = await service.token('1');
    const { body: key } = await call('POST', '/keys', { name: 'ops', scopes: ['rotation:write'] });
    await holdUp(service);
    await call('POST', '/rotate');
    const code = async (token: string | undefined, method: string, path: string, body?: unknown) => {
      const answer = await service.request(method, `${API}${path}`, {
        ...(token !== undefined && { token }),
        ...(body !== undefined && { body }),
      });
      return `${answer.status} ${answer.body.code ?? ''}`.trim();
    };
    const routes = [
      ['GET', '/rotations'],
      ['GET', '/rotations/1'],
      ...['pause', 'resume', 'cancel', 'fail'].map((verb) => ['POST', `/rotations/1/${verb}`] as const),
    ] as const;
    for (const [method, path] of routes) {
      expect([path, await code(user, method, path)]).toEqual([path, '403 ERR_FORBIDDEN']);
      expect([path, await code(undefined, method, path)]).toEqual([path, '401 ERR_UNAUTHENTICATED']);
    }
    expect(await code(key.key, 'GET', '/rotations')).toBe('200');
    expect(await code(key.key, 'POST', '/rotations/1/pause')).toBe('200');
    expect(await code(key.key, 'POST', '/rotations/9/pause')).toBe('404 ERR_NOT_FOUND');
    expect(await code(key.key, 'POST', '/rotations/1/pause', { unknown: 1 })).toBe('400 ERR_INPUT_INVALID');
    expect(await code(key.key, 'POST', '/rotations/1/fail', { reason: 'x'.repeat(1001) })).toBe(
      '400 ERR_INPUT_INVALID',
    );
    expect(await code(key.key, 'GET', '/rotations?limit=0')).toBe('400 ERR_INPUT_INVALID');
    // Other sweeps are not for this interface: whoever may rotate may not go on decrypting.
    await call('POST', '/rotations/1/cancel');
    await sql(service, "INSERT INTO encryption_key_rotations (kind, initiated_by) VALUES ('decrypt', 'cli')");
    expect(await code(key.key, 'POST', '/rotations/2/resume')).toBe('404 ERR_NOT_FOUND');

    const { body: api } = await service.request('GET', '/openapi.json');
    for (const [method, path] of routes) {
      const operation = api.paths[`${API}${path.replace('1', '{id}')}`][method.toLowerCase()];
      expect(operation.responses['200'].content['application/json'].schema).toBeDefined();
      expect(operation.responses['403'].content['application/problem+json'].schema.title).toBe('Problem');
    }
  }),
);
