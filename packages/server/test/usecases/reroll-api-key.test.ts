import type { ErrorCode } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import type { ApiKeyRow } from '../../src/store/store.js';
import { authenticateApiKey } from '../../src/usecases/authenticate-api-key.js';
import { createApiKey, createApiKeyOnce } from '../../src/usecases/create-api-key.js';
import { rerollApiKey } from '../../src/usecases/reroll-api-key.js';
import { revokeApiKey } from '../../src/usecases/revoke-api-key.js';
import type { Service } from '../../src/usecases/service.js';
import { rejectionOf } from '../refusal.js';
import { API_KEY_PLACES, actor, keyActor } from './with-api-keys.js';

const ADA = actor('ada');
const BOB = actor('bob');
const DAY_MS = 86_400_000;

const rowOf = async (service: Service, id: number) => (await service.store.apiKeys.get(id)) as ApiKeyRow;
const codeOf = async (work: Promise<unknown>): Promise<ErrorCode> => (await rejectionOf(() => work)).code;
const lifetimeOf = ({ createdAt, expiresAt }: { createdAt: string; expiresAt: string | null }) =>
  Date.parse(expiresAt as string) - Date.parse(createdAt);
const countKeys = async ({ store }: Service) => (await store.apiKeys.list({ userId: null, limit: 500 })).length;

/** Takes the end off a key as it was issued, its MAC right: what keys of the Python original may be. */
async function withoutEnd(service: Service, id: number, execute: (sql: string) => Promise<unknown>): Promise<void> {
  const row = await rowOf(service, id);
  const mac = service.seal.macRow({ ...row, expiresAt: null }, row.keyHash as string);
  await execute(`update {t}api_keys set expires_at = null, row_mac = '${mac}' where id = ${id}`);
}

describe.each(API_KEY_PLACES)('a reroll on %s', (_name, withApiKeys) => {
  it('issues the same key anew, as long-lived, and ends the old one after the grace', () =>
    withApiKeys(async ({ service }) => {
      const input = {
        name: 'CI',
        scopes: 'read:a,write:b',
        expires_in_days: 7,
        allowed_ips: ['10.0.0.0/8'],
        rate_limit: 5,
        rate_window_seconds: 60,
        metadata: { team: 'x' },
      };
      const old = await createApiKey(service, input, undefined, ADA);
      const made = await rerollApiKey(service, old.id, { grace_seconds: 3600 }, ADA);
      const { id, key, prefix, createdAt, expiresAt, previousExpiresAt, ...same } = made;
      const { id: _i, key: _k, prefix: _p, createdAt: _c, expiresAt: _e, ...was } = old;
      expect(same).toEqual({ ...was, rerolledFrom: old.id });
      expect(lifetimeOf({ createdAt, expiresAt })).toBe(7 * DAY_MS);
      expect(Date.parse(previousExpiresAt as string)).toBe(Date.parse(createdAt) + 3_600_000);
      expect(service.seal.isIntact(await rowOf(service, id))).toBe(true);
      expect((await authenticateApiKey(service, key as string, '10.1.2.3')).apiKeyId).toBe(id);
      expect((await authenticateApiKey(service, old.key, '10.1.2.3')).apiKeyId).toBe(old.id);
      const [row] = await service.store.audit.list({ action: 'api_key_rerolled', limit: 2 });
      expect(row).toMatchObject({ userId: 'ada', resourceId: String(old.id), status: 'success' });
      expect(JSON.parse(row?.details as string)).toEqual({
        ...{ name: 'CI', prefix: old.prefix, owner: 'ada', expiresAt: previousExpiresAt, graceSeconds: 3600 },
        successor: { id, prefix, expiresAt },
      });
      // Once; what goes on is the new one.
      expect(await codeOf(rerollApiKey(service, old.id, {}, ADA))).toBe('ERR_API_KEY_STATE');
      expect(await rerollApiKey(service, id, {}, ADA)).toMatchObject({ rerolledFrom: id });
      await expect(authenticateApiKey(service, key as string, '10.1.2.3')).rejects.toMatchObject({
        code: 'ERR_UNAUTHENTICATED',
      });
    }));

  it('never prolongs the old key, and never makes an expiring one permanent', () =>
    withApiKeys(async ({ service, execute }) => {
      const old = await createApiKey(service, { name: 'a', expires_in_days: 1 }, undefined, ADA);
      const made = await rerollApiKey(service, old.id, { grace_seconds: 30 * 86_400 }, ADA);
      expect(made.previousExpiresAt).toBe(old.expiresAt);
      expect(lifetimeOf(made)).toBe(DAY_MS);

      const endless = await createApiKey(service, { name: 'b' }, undefined, ADA);
      await withoutEnd(service, endless.id, execute);
      const next = await rerollApiKey(service, endless.id, { grace_seconds: 60 }, ADA);
      expect(next.expiresAt).toBeNull();
      expect(Date.parse(next.previousExpiresAt as string)).toBe(Date.parse(next.createdAt) + 60_000);
      expect(service.seal.isIntact(await rowOf(service, endless.id))).toBe(true);

      // When a key was made is not under its MAC: whoever writes another time wins no more than any new key has.
      const stretched = await createApiKey(service, { name: 'c', expires_in_days: 1 }, undefined, ADA);
      await execute(`update {t}api_keys set created_at = '1000-01-01T00:00:00.000Z' where id = ${stretched.id}`);
      expect(lifetimeOf(await rerollApiKey(service, stretched.id, {}, ADA))).toBe(3650 * DAY_MS);
    }));

  it('is of an active key alone', () =>
    withApiKeys(async ({ service }) => {
      const revoked = await createApiKey(service, { name: 'a' }, undefined, ADA);
      await revokeApiKey(service, revoked.id, {}, ADA);
      const expired = await createApiKey(service, { name: 'a' }, undefined, ADA);
      await rerollApiKey(service, expired.id, {}, ADA);
      for (const [id, state] of [
        [revoked.id, 'revoked'],
        [expired.id, 'expired'],
      ] as const) {
        expect(await rejectionOf(() => rerollApiKey(service, id, {}, ADA))).toEqual({
          code: 'ERR_API_KEY_STATE',
          message: `The API key is ${state}; only an active one can be rerolled.`,
        });
      }
      expect(await codeOf(rerollApiKey(service, 99, {}, ADA))).toBe('ERR_NOT_FOUND');
      for (const seconds of [-1, 1.5, 30 * 86_400 + 1])
        expect(await codeOf(rerollApiKey(service, expired.id, { grace_seconds: seconds }, ADA))).toBe(
          'ERR_INPUT_INVALID',
        );
    }));

  it('takes what is left of a quota along, and leaves nothing behind', () =>
    withApiKeys(async ({ service, execute }) => {
      const old = await createApiKey(service, { name: 'a', quota: 10 }, undefined, ADA);
      expect(await codeOf(rerollApiKey(service, old.id, { grace_seconds: 60 }, ADA))).toBe('ERR_API_KEY_STATE');
      await execute(`insert into {t}api_key_usage (key_id, quota_used) values (${old.id}, 7)`);
      const next = await rerollApiKey(service, old.id, {}, ADA);
      const last = await rerollApiKey(service, next.id, {}, ADA);
      expect([next.quota, last.quota]).toEqual([10, 10]);
      expect(await execute(`select key_id, quota_used from {t}api_key_usage order by key_id`)).toEqual(
        [
          [old.id, 10],
          [next.id, 10],
          [last.id, 7],
        ].map(([id, used]) => ({
          key_id: expect.toSatisfy((value) => Number(value) === id),
          quota_used: expect.toSatisfy((value) => Number(value) === used),
        })),
      );
    }));

  it('that races others makes one key', () =>
    withApiKeys(async ({ service, other }) => {
      for (const graceSeconds of [0, 600]) {
        const old = await createApiKey(service, { name: 'a' }, undefined, ADA);
        const before = await countKeys(service);
        const outcomes = await Promise.allSettled(
          Array.from({ length: 8 }, (_, i) =>
            rerollApiKey(i % 2 === 0 ? service : other, old.id, { grace_seconds: graceSeconds }, ADA),
          ),
        );
        expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBe(1);
        for (const outcome of outcomes)
          if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'ERR_API_KEY_STATE' });
        expect(await countKeys(service)).toBe(before + 1);
      }
    }));
});

describe.each(API_KEY_PLACES)('an Idempotency-Key on %s', (_name, withApiKeys) => {
  const input = { name: 'a', scopes: 'read:a' };

  it('lets a retry make nothing, and answers what was made, without the key', () =>
    withApiKeys(async ({ service, other }) => {
      const first = await createApiKeyOnce(service, input, 'one', undefined, ADA);
      expect(first.key).toMatch(/^pk_/);
      const again = await createApiKeyOnce(other, { name: 'a', scopes: ['read:a'] }, 'one', undefined, ADA);
      expect(again).toEqual({ ...first, key: null });
      const rerolled = await rerollApiKey(service, first.id, {}, ADA, 'two');
      // The old key has ended by now, and still the retry is answered.
      expect(await rerollApiKey(service, first.id, {}, ADA, 'two')).toEqual({ ...rerolled, key: null });
      expect(await countKeys(service)).toBe(2);
      expect(await service.store.audit.count({ action: 'api_key_created' })).toBe(1);
    }));

  it('is of one request and one caller', () =>
    withApiKeys(async ({ service, execute }) => {
      const { id } = await createApiKeyOnce(service, input, 'one', undefined, ADA);
      const mismatch = {
        code: 'ERR_IDEMPOTENCY_MISMATCH',
        message: 'This Idempotency-Key came with another request; a new request needs a new key.',
      };
      for (const other of [{ name: 'b' }, { ...input, quota: 1 }, { ...input, expires_in_days: 30 }])
        expect(await rejectionOf(() => createApiKeyOnce(service, other, 'one', undefined, ADA))).toEqual(mismatch);
      expect(await rejectionOf(() => rerollApiKey(service, id, {}, ADA, 'one'))).toEqual(mismatch);
      await rerollApiKey(service, id, { grace_seconds: 60 }, ADA, 'two');
      expect(await rejectionOf(() => rerollApiKey(service, id, {}, ADA, 'two'))).toEqual(mismatch);
      expect(await countKeys(service)).toBe(2);

      // Another user, and an API key of the same user.
      expect((await createApiKeyOnce(service, input, 'one', undefined, BOB)).key).not.toBeNull();
      const theKey = keyActor('ada', 77, ['keys:write', 'read:a']);
      expect((await createApiKeyOnce(service, input, 'one', undefined, theKey)).key).not.toBeNull();
      for (const wrong of ['', 'x'.repeat(256), 'a\nb', 'é'])
        expect(await codeOf(createApiKeyOnce(service, input, wrong, undefined, ADA))).toBe('ERR_INPUT_INVALID');

      // What is kept tells nothing of the request.
      const kept = JSON.stringify(await execute('select * from {t}fieldseal_idempotency_keys'));
      expect(kept).not.toContain('read:a');
      expect(kept).toMatch(/"request_hash":"[0-9a-f]{64}"/);
    }));

  it('of a request that failed is free, and so is one that is a day old', () =>
    withApiKeys(async ({ service, execute }) => {
      await execute(`alter table {t}audit_logs rename to audit_logs_away`);
      await expect(createApiKeyOnce(service, input, 'one', undefined, ADA)).rejects.toMatchObject({});
      await execute(`alter table {t}audit_logs_away rename to audit_logs`);
      expect(await execute('select * from {t}fieldseal_idempotency_keys')).toEqual([]);
      const { id } = await createApiKeyOnce(service, input, 'one', undefined, ADA);
      await revokeApiKey(service, id, {}, ADA);
      expect((await createApiKeyOnce(service, input, 'one', undefined, ADA)).id).toBe(id);

      await createApiKeyOnce(service, input, 'two', undefined, ADA);
      await execute(`update {t}fieldseal_idempotency_keys set created_at = '2020-01-01T00:00:00.000Z'`);
      expect((await createApiKeyOnce(service, { name: 'other' }, 'one', undefined, ADA)).key).not.toBeNull();
      // The other one was cleared away on the way.
      expect(await execute('select idempotency_key from {t}fieldseal_idempotency_keys')).toEqual([
        { idempotency_key: 'one' },
      ]);
    }));

  it('of requests that come at once makes one key', () =>
    withApiKeys(async ({ service, other }) => {
      const made = await Promise.all(
        Array.from({ length: 8 }, (_, i) =>
          createApiKeyOnce(i % 2 === 0 ? service : other, input, 'one', undefined, ADA),
        ),
      );
      expect(made.filter(({ key }) => key !== null).length).toBe(1);
      expect(new Set(made.map(({ id }) => id)).size).toBe(1);
      const [{ id } = { id: 0 }] = made;
      const rerolled = await Promise.all(
        Array.from({ length: 8 }, (_, i) => rerollApiKey(i % 2 === 0 ? service : other, id, {}, ADA, 'two')),
      );
      expect(rerolled.filter(({ key }) => key !== null).length).toBe(1);
      expect(await countKeys(service)).toBe(2);
    }));
});
