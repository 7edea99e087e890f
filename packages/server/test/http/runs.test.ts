import { connect } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { rangesOfNewest, rotatedIn } from '../sweep/ranges-of.js';
import { configText } from '../with-project.ts';
import { finishedRotation } from './rotation.ts';
import { onSqlite, withService } from './with-service.ts';

const API = '/api/encryption';
const CONFIG = configText(
  "people: { primaryKey: 'id', columns: { phone: encryptedString({ alsoReads: ['plaintext'] }) } }",
);
const peopleSql = (rows: number) => `
  CREATE TABLE people (id INTEGER PRIMARY KEY, phone TEXT);
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows}) INSERT INTO people SELECT i, '+82-' || i FROM n;`;

test('a service that starts leaves an interrupted decrypt alone, and a rotation that somebody paused', {
  timeout: 120_000,
}, async () => {
  await withService(onSqlite, { sql: peopleSql(5_000), config: CONFIG }, async (service) => {
    const { project, env } = service;
    await service.end('SIGTERM');
    expect((await project.fieldseal('encrypt', { env })).exitCode).toBe(0);
    const rotatedNow = () =>
      project.db((db) => rotatedIn(db.prepare(rangesOfNewest('')).all() as { counts: string }[]));
    const runsOf = (kind: string) =>
      project.db((db) => db.prepare('SELECT count(*) FROM encryption_key_rotations WHERE kind = ?').pluck().get(kind));
    const interrupt = async (command: string, signal: NodeJS.Signals) => {
      const child = project.spawn(command, '--max-rows-per-second', '1000', { env });
      const ended = new Promise((resolve) => child.once('exit', resolve));
      while (runsOf(command) === 0 || rotatedNow() === 0) await setTimeout(20);
      child.kill(signal);
      await ended;
      return rotatedNow();
    };
    const decrypted = await interrupt('decrypt', 'SIGKILL');
    await service.restart();
    expect((await service.request('GET', '/readyz')).status).toBe(200);
    await service.end('SIGTERM');
    expect(rotatedNow()).toBe(decrypted);
    expect((await project.fieldseal('decrypt', { env })).exitCode).toBe(0);
    expect((await project.fieldseal('encrypt', { env })).exitCode).toBe(0);

    const rotated = await interrupt('rotate', 'SIGINT');
    await service.restart();
    const token = await service.token('root', '--admin');
    const { body: logs } = await service.request('GET', `${API}/audit-logs?action=rotate_paused`, { token });
    expect(logs.total).toBe(1);
    expect(rotatedNow()).toBe(rotated);
    expect((await project.fieldseal('rotate', { env })).exitCode).toBe(0);
  });
});

test('a rotation that the preflight refuses fails with its reason, and the next one is not in its way', async () => {
  await withService(onSqlite, { sql: peopleSql(10), config: CONFIG }, async (service) => {
    const { project, env } = service;
    expect((await project.fieldseal('encrypt', { env })).exitCode).toBe(0);
    project.db((db) =>
      db.exec(
        'CREATE TABLE log (t TEXT); CREATE TRIGGER copy AFTER UPDATE ON people BEGIN INSERT INTO log VALUES (old.phone); END',
      ),
    );
    const token = await service.token('root', '--admin');
    const start = async () =>
      (await service.request('POST', `${API}/rotate`, { token, body: {} })).body.rotation_id as number;
    const id = await start();
    const status = async () =>
      (await service.request('GET', `${API}/rotation-status/${id}`, { token })).body.rotation_status;
    while ((await status()) === 'pending') await setTimeout(20);
    expect(await status()).toBe('failed');
    expect((await project.fieldseal('status', String(id), { env })).stdout).toContain(
      'Triggers run when a swept column is updated',
    );
    project.db((db) => db.exec('DROP TRIGGER copy'));
    expect(await finishedRotation(service, await start(), token)).toMatchObject({
      new_key_version: 'v2',
      rotated_records: 10,
    });
  });
});

test('a connection that is held open without finishing a request does not keep the service from ending', async () => {
  await withService(onSqlite, {}, async (service) => {
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
    await new Promise<void>((resolve) => socket.once('connect', resolve));
    socket.on('error', () => {});
    socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n');
    expect(await service.end('SIGTERM')).toBe(0);
    socket.destroy();
  });
});

test('a sweep whose output nobody reads any more stops, and can be resumed', async () => {
  await withService(onSqlite, { sql: peopleSql(5_000), config: CONFIG }, async (service) => {
    const { project, env } = service;
    const child = project.spawn('encrypt', '--json', '--max-rows-per-second', '1000', { env });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.stdout?.once('data', () => child.stdout?.destroy());
    expect(await ended).toBe(3);
    expect((await project.fieldseal('encrypt', '--json', { env })).last).toMatchObject({
      status: 'completed',
      counts: { total: 5_000, rotated: 5_000 },
    });
  });
});
