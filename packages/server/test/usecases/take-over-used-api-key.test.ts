/** Keys of the Python original that are used, with `API_KEYS_TAKE_OVER_ON_USE` and without. */
import { Fernet } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import { createApiKeyVerifier } from '../../src/middleware/index.js';
import { OPERATOR_ACTOR, type Service } from '../../src/usecases/service.js';
import { takeOverApiKeys } from '../../src/usecases/take-over-api-keys.js';
import { verifyApiKey } from '../../src/usecases/verify-api-key.js';
import {
  alter,
  insertOriginal,
  issueKey,
  onPostgresSchema,
  onSqliteFile,
  type ServicePlace,
} from './with-open-service.js';

/** As the original's guide shows one, whose end is no checksum of ours; and as `secrets.token_urlsafe` makes them. */
const ORIGINALS = [
  'pk_abc123_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
  'pk_abc124_a_b-cdefghijklmnopqrstuvwxyz_0123',
] as const;
const KEY = ORIGINALS[0];

const code = async (service: Service, key: string) => (await verifyApiKey(service, { key })).code;
const takenOver = async ({ store }: Service) => store.audit.list({ action: 'api_keys_taken_over', limit: 50 });
const openOnUse = ({ open }: ServicePlace) => open({ settings: { apiKeysTakeOverOnUse: true } });

describe.each([
  ['SQLite', onSqliteFile],
  ['PostgreSQL', onPostgresSchema],
])('on %s', (_name, onPlace) => {
  it('a key without a hash is not found, unless the setting is on', () =>
    onPlace(async ({ open }) => {
      const service = await open();
      const { id } = await insertOriginal(service, KEY);
      expect(await code(service, KEY)).toBe('NOT_FOUND');
      expect(await service.store.apiKeys.get(id)).toMatchObject({ keyHash: null, rowMac: null });
      expect(await takenOver(service)).toEqual([]);
    }));

  it.each([false, true])(
    'its first use is valid, gives it its hash and leaves an audit row (from memory: %s)',
    (isStarted) =>
      onPlace(async (place) => {
        const service = await openOnUse(place);
        if (isStarted) await service.verification.start();
        for (const [i, key] of ORIGINALS.entries()) {
          const { id, prefix } = await insertOriginal(service, key);
          // Somebody else has looked for it in vain.
          expect(await code(service, `${key.slice(0, -1)}!`)).toBe('NOT_FOUND');
          expect(await verifyApiKey(service, { key, scopes: 'keys:read' })).toMatchObject({
            code: 'VALID',
            keyId: id,
            userId: '42',
            scopes: ['keys:read', 'read:projects'],
          });
          const row = await service.store.apiKeys.get(id);
          expect(row?.keyHash).toBe(service.seal.hashKey(key));
          expect(row && service.seal.isIntact(row)).toBe(true);
          expect(await code(service, key)).toBe('VALID');
          const audited = await takenOver(service);
          expect(audited).toHaveLength(i + 1);
          expect(audited[0]).toMatchObject({ userId: null, resourceId: String(id), status: 'success' });
          expect(JSON.parse(audited[0]?.details ?? '')).toEqual({
            ...{ hashed: [id], onUse: true, prefix, owner: '42' },
            ...{ scopes: ['keys:read', 'read:projects'], expiresAt: null },
          });
        }
        // What was taken over stays valid without the setting, a checksum of ours or not.
        const later = await place.open();
        await later.verification.start();
        for (const key of ORIGINALS) expect(await code(later, key)).toBe('VALID');
        await expect(takeOverApiKeys(later, false, OPERATOR_ACTOR)).resolves.toEqual({ hashed: [], unreadable: [] });
      }),
  );

  it('of many first uses at once, of two services, all are valid, and one leaves an audit row', () =>
    onPlace(async (place) => {
      const services = [await openOnUse(place), await openOnUse(place)] as const;
      for (const { verification } of services) await verification.start();
      for (const [i, key] of ORIGINALS.entries()) {
        await insertOriginal(services[0], key);
        const codes = await Promise.all(Array.from({ length: 20 }, (_, n) => code(services[n % 2 === 0 ? 0 : 1], key)));
        expect(codes).toEqual(Array(20).fill('VALID'));
        expect(await takenOver(services[0])).toHaveLength(i + 1);
      }
    }));

  it('an operator who takes all over at the same moment disturbs nobody', () =>
    onPlace(async (place) => {
      const service = await openOnUse(place);
      await service.verification.start();
      const elsewhere = await place.open();
      const keys = Array.from({ length: 10 }, (_, i) => `pk_abc20${i}_${'x'.repeat(32)}`);
      for (const key of keys) await insertOriginal(service, key);
      const [, ...codes] = await Promise.all([
        takeOverApiKeys(elsewhere, false, OPERATOR_ACTOR),
        ...keys.map((key) => code(service, key)),
      ]);
      expect(codes).toEqual(Array(10).fill('VALID'));
      const hashed = (await takenOver(service)).flatMap(({ details }) => JSON.parse(details ?? '').hashed);
      expect(new Set(hashed).size).toBe(10);
      expect(hashed).toHaveLength(10);
    }));

  it('another text, a copy that cannot be read and none at all are not found, and give nothing a hash', () =>
    onPlace(async (place) => {
      const service = await openOnUse(place);
      await service.verification.start();
      const elsewhere = new Fernet(Fernet.generateKey());
      const unreadable = 'pk_abc125_yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy';
      const copiless = 'pk_abc126_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz';
      await insertOriginal(service, KEY);
      await insertOriginal(service, unreadable, { encryptedKey: elsewhere.encrypt(unreadable) });
      await insertOriginal(service, copiless, { encryptedKey: null });
      for (const key of [KEY.replace(/x$/, 'y'), 'pk_abc123_x', `${KEY}x`, `${KEY}_x`, unreadable, copiless]) {
        expect([key, await code(service, key)]).toEqual([key, 'NOT_FOUND']);
      }
      expect(await service.store.apiKeys.listUnhashed(10)).toHaveLength(3);
      expect(await takenOver(service)).toEqual([]);
    }));

  it('what stands against a key is told once it has its hash', () =>
    onPlace(async (place) => {
      const service = await openOnUse(place);
      const { id } = await insertOriginal(service, KEY);
      // The original has only the flag.
      await alter(place, `update {t}api_keys set is_active = false where id = ${id}`);
      await insertOriginal(service, ORIGINALS[1], { expiresAt: '2026-01-02T00:00:00.000Z' });
      expect(await code(service, KEY)).toBe('REVOKED');
      expect(await code(service, ORIGINALS[1])).toBe('EXPIRED');
      await alter(place, `update {t}api_keys set is_active = true, scopes = 'keys:write' where id = ${id}`);
      expect(await code(service, KEY)).toBe('NOT_FOUND');
      expect(await service.store.audit.list({ action: 'api_key_tampered', limit: 10 })).toHaveLength(1);
    }));

  it('a key of ours gets no second hash when somebody takes its first away to widen its scopes', () =>
    onPlace(async (place) => {
      const service = await openOnUse(place);
      const { key, row } = await issueKey(service);
      const { encryptedKey } = await insertOriginal(service, key, { prefix: 'pk_other1' });
      const altered = `key_hash = null, row_mac = null, scopes = 'keys:write', encrypted_key = '${encryptedKey}'`;
      await alter(place, `update {t}api_keys set ${altered} where id = ${row.id}`);
      expect(await code(service, key)).toBe('NOT_FOUND');
      expect((await service.store.apiKeys.get(row.id))?.keyHash).toBe(null);
    }));

  it('the copy counts that stands in the row when it gets its hash', () =>
    onPlace(async (place) => {
      let meanwhile: string | null = null;
      const service = await place.open({
        settings: { apiKeysTakeOverOnUse: true },
        wrap: (store) => ({
          ...store,
          apiKeys: {
            ...store.apiKeys,
            async get(id) {
              const row = await store.apiKeys.get(id);
              await alter(place, `update {t}api_keys set encrypted_key = '${meanwhile}' where id = ${id}`);
              return row;
            },
          },
        }),
      });
      // Written by a rotation; written by somebody else.
      const [same, another] = [await insertOriginal(service, KEY), await insertOriginal(service, ORIGINALS[1])];
      meanwhile = another.encryptedKey;
      expect(await code(service, KEY)).toBe('NOT_FOUND');
      await alter(place, `update {t}api_keys set encrypted_key = '${same.encryptedKey}' where id = ${same.id}`);
      meanwhile = (await insertOriginal(service, KEY, { prefix: 'pk_other1' })).encryptedKey;
      expect(meanwhile).not.toBe(same.encryptedKey);
      expect(await code(service, KEY)).toBe('VALID');
    }));

  it('a verifier of an application takes a key over where it is told to', () =>
    onPlace(async (place) => {
      const service = await place.open();
      await insertOriginal(service, KEY);
      const { target, schema, keys } = place;
      const databaseUrl = target.dialect === 'sqlite' ? `sqlite:${target.file}` : target.connectionString;
      for (const [options, expected] of [
        [{}, 'NOT_FOUND'],
        [{ apiKeysTakeOverOnUse: true }, 'VALID'],
      ] as const) {
        const verifier = await createApiKeyVerifier({ databaseUrl, schema, keys, ...options });
        expect((await verifier.verify({ key: KEY })).code).toBe(expected);
        await verifier.close();
      }
    }));
});
