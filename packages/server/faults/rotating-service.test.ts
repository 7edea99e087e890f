/** A service that is killed, ended or asked in the middle of a rotation. */
import { setTimeout } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { databaseProvider, EncryptionService, openKeyring } from 'fieldseal';
import { expect, test } from 'vitest';
import { finishedRotation, startRotation } from '../test/http/rotation.ts';
import { onSqlite, withService } from '../test/http/with-service.ts';
import { rangesOfNewest, rotatedIn } from '../test/sweep/ranges-of.js';
import { configText } from '../test/with-project.ts';

const API = '/api/encryption';
const ROWS = 20_000;
const CONFIG = configText(
  "people: { primaryKey: 'id', columns: { phone: encryptedString({ alsoReads: ['plaintext'] }) } }",
);
const PEOPLE_SQL = `
  CREATE TABLE people (id INTEGER PRIMARY KEY, phone TEXT);
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS})
  INSERT INTO people SELECT i, '+82-' || i FROM n;`;

test('a service killed with SIGKILL in the middle of a rotation finishes it after a restart, every record counted once', {
  timeout: 120_000,
}, async () => {
  await withService(onSqlite, { sql: PEOPLE_SQL, config: CONFIG }, async (service) => {
    const { project } = service;
    const token = await service.token('root', '--admin');
    const { body: key } = await service.request('POST', `${API}/keys`, { token, body: { name: 'k' } });
    const rotation = await startRotation(service, token);
    const rotated = () => project.db((db) => rotatedIn(db.prepare(rangesOfNewest('')).all() as { counts: string }[]));
    while (rotated() === 0) await setTimeout(5);
    await service.end('SIGKILL');
    const met = rotated();
    console.log(`killed at ${met} of ${ROWS + 1} records`);
    expect(met).toBeLessThan(ROWS);

    await service.restart();
    expect(await finishedRotation(service, rotation, token)).toMatchObject({
      rotation_status: 'completed',
      total_records: ROWS + 1,
      rotated_records: ROWS + 1,
      failed_records: 0,
      progress_percent: 100,
    });
    // The service's own column was moved too, and its keys go on verifying.
    expect((await service.request('GET', `${API}/keys`, { token: key.key })).body.code).toBe('ERR_FORBIDDEN');
    const db = new Database(project.file);
    const query = (sql: string, params: readonly (string | number)[]) =>
      db.prepare(sql).all(...params) as Record<string, unknown>[];
    const keyring = await openKeyring(databaseProvider({ dialect: 'sqlite', query, rootKey: project.key }));
    const encryption = new EncryptionService(keyring);
    for (const { id, phone } of db.prepare('SELECT id, phone FROM people').all() as { id: number; phone: string }[]) {
      expect(encryption.decryptField(phone)).toBe(`+82-${id}`);
    }
    expect(encryption.decryptField(db.prepare('SELECT encrypted_key FROM api_keys').pluck().get() as string)).toBe(
      key.key,
    );
    await keyring.close();
    db.close();
  });
});

test('a service that is asked to end in the middle of a rotation ends with 0, and goes on at its next start', {
  timeout: 120_000,
}, async () => {
  await withService(onSqlite, { sql: PEOPLE_SQL, config: CONFIG }, async (service) => {
    const token = await service.token('root', '--admin');
    const rotation = await startRotation(service, token);
    while ((await service.request('GET', `${API}/rotation-status/${rotation}`, { token })).body.rotated_records === 0)
      await setTimeout(5);
    expect(await service.end('SIGTERM')).toBe(0);
    await service.restart();
    expect(await finishedRotation(service, rotation, token)).toMatchObject({
      total_records: ROWS,
      rotated_records: ROWS,
    });
  });
});

test('a rotation does not keep requests waiting', { timeout: 120_000 }, async () => {
  await withService(onSqlite, { sql: PEOPLE_SQL, config: CONFIG }, async (service) => {
    const token = await service.token('root', '--admin');
    const rotation = await startRotation(service, token);
    // Answers that saw it under way, each further than the one before: had it held the thread, there would be none.
    const seen = new Set<number>();
    for (;;) {
      const status = await service.request('GET', `${API}/rotation-status/${rotation}`, { token });
      if (status.body.rotation_status === 'completed') break;
      seen.add(status.body.rotated_records);
    }
    expect(seen.size).toBeGreaterThan(3);
  });
});
