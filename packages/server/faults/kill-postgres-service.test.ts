import { setTimeout } from 'node:timers/promises';
import { databaseProvider, EncryptionService, openKeyring } from 'fieldseal';
import pg from 'pg';
import { expect, test } from 'vitest';
import { finishedRotation, startRotation } from '../test/http/rotation.ts';
import { onPostgres, withService } from '../test/http/with-service.ts';
import { configText } from '../test/with-project.ts';

const API = '/api/encryption';
const ROWS = 20_000;

test('on PostgreSQL too, a service killed in the middle of a rotation finishes it, every record counted once', {
  timeout: 120_000,
}, async () => {
  let table = '';
  await withService(
    (options, work) =>
      onPostgres(options, async (project, env) => {
        const schema = env['DATABASE_SCHEMA'] as string;
        table = `"${schema}"."people"`;
        const client = new pg.Client(env['DATABASE_URL']);
        await client.connect();
        await client.query(`CREATE SCHEMA IF NOT EXISTS "${schema}"`);
        await client.query(`CREATE TABLE ${table} (id bigint PRIMARY KEY, phone text)`);
        await client.query(`INSERT INTO ${table} SELECT i, '+82-' || i FROM generate_series(1, ${ROWS}) i`);
        await client.end();
        const columns = "{ phone: encryptedString({ alsoReads: ['plaintext'] }) }";
        await project.write(
          'fieldseal.config.mjs',
          configText(`'${schema}.people': { primaryKey: 'id', columns: ${columns} }`),
        );
        return work(project, env);
      }),
    {},
    async (service) => {
      const token = await service.token('root', '--admin');
      const { body: key } = await service.request('POST', `${API}/keys`, { token, body: { name: 'k' } });
      const rotation = await startRotation(service, token);
      const rotated = async () =>
        (await service.request('GET', `${API}/rotation-status/${rotation}`, { token })).body.rotated_records;
      while ((await rotated()) === 0) await setTimeout(5);
      await service.end('SIGKILL');
      await service.restart();
      expect(await finishedRotation(service, rotation, token)).toMatchObject({
        rotation_status: 'completed',
        total_records: ROWS + 1,
        rotated_records: ROWS + 1,
        failed_records: 0,
      });
      const client = new pg.Client(service.env['DATABASE_URL']);
      await client.connect();
      const schema = service.env['DATABASE_SCHEMA'] as string;
      const query = async (sql: string, params: readonly (string | number)[]) =>
        (await client.query(sql, [...params])).rows;
      const keyring = await openKeyring(
        databaseProvider({ dialect: 'postgres', query, schema, rootKey: service.project.key }),
      );
      const encryption = new EncryptionService(keyring);
      for (const { id, phone } of (await client.query(`SELECT id, phone FROM ${table}`)).rows) {
        expect(encryption.decryptField(phone)).toBe(`+82-${id}`);
      }
      const { rows } = await client.query(`SELECT encrypted_key FROM "${schema}".api_keys`);
      expect(encryption.decryptField(rows[0].encrypted_key)).toBe(key.key);
      await keyring.close();
      await client.end();
    },
  );
});
