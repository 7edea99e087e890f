import type { ErrorCode } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import type { ApiKeyRow } from '../../src/store/store.js';
import { createApiKey, type NewApiKeyInput } from '../../src/usecases/create-api-key.js';
import { getApiKey } from '../../src/usecases/get-api-key.js';
import { listApiKeys } from '../../src/usecases/list-api-keys.js';
import { rerollApiKey } from '../../src/usecases/reroll-api-key.js';
import { revokeApiKey } from '../../src/usecases/revoke-api-key.js';
import type { Service } from '../../src/usecases/service.js';
import { disableApiKey, enableApiKey } from '../../src/usecases/switch-api-key.js';
import { updateApiKey } from '../../src/usecases/update-api-key.js';
import { rejectionOf } from '../refusal.js';
import { API_KEY_PLACES, actor, keyActor } from './with-api-keys.js';

const ADA = actor('ada');
const BOB = actor('bob');
const ADMIN = actor('root', { isAdmin: true });
const LIMITS = {
  allowed_ips: ['10.0.0.0/8', '2001:DB8::1', '2001:db8:0::1/128'],
  rate_limit: 100,
  rate_window_seconds: 60,
  quota: 5000,
  metadata: { team: 'billing', plan: { seats: 3 } },
};
const STORED = {
  allowedIps: ['10.0.0.0/8', '2001:db8::1'],
  rateLimit: 100,
  rateWindowSeconds: 60,
  quota: 5000,
  metadata: '{"team":"billing","plan":{"seats":3}}',
};

const rowOf = async (service: Service, id: number) => (await service.store.apiKeys.get(id)) as ApiKeyRow;
const codeOf = async (work: Promise<unknown>): Promise<ErrorCode> => (await rejectionOf(() => work)).code;

/** The newest audit row of an action, its details parsed. */
async function audited(service: Service, action: string) {
  const [row] = await service.store.audit.list({ action, limit: 1 });
  return row && { ...row, details: JSON.parse(row.details as string) };
}

describe.each(API_KEY_PLACES)('API keys on %s', (_name, withApiKeys) => {
  it('are issued with limits, each in one spelling and under the MAC', () =>
    withApiKeys(async ({ service }) => {
      const { id } = await createApiKey(service, { name: 'a', ...LIMITS }, undefined, ADA);
      const row = await rowOf(service, id);
      expect(row).toMatchObject(STORED);
      expect(service.seal.isIntact(row)).toBe(true);
      expect(service.seal.isIntact({ ...row, quota: null })).toBe(false);
      expect((await audited(service, 'api_key_created'))?.details).toMatchObject({ quota: 5000, metadata: 'set' });
      const refused: Partial<NewApiKeyInput>[] = [
        { allowed_ips: [] },
        { allowed_ips: ['10.0.0.1/8'] },
        { allowed_ips: Array(51).fill('10.0.0.1') },
        { rate_limit: 5 },
        { rate_window_seconds: 60 },
        { rate_limit: 0, rate_window_seconds: 60 },
        { rate_limit: 5, rate_window_seconds: 86_401 },
        { quota: 0 },
        { quota: 1.5 },
        { metadata: [] },
        { metadata: { text: 'x'.repeat(4096) } },
        { metadata: { text: 'é'.repeat(2048) } },
        { metadata: JSON.parse(`{"a":${'['.repeat(30_000)}${']'.repeat(30_000)}}`) },
      ];
      for (const input of refused)
        expect(await codeOf(createApiKey(service, { name: 'a', ...input }, undefined, ADA))).toBe('ERR_INPUT_INVALID');
      await createApiKey(service, { name: 'a', metadata: { t: 'x'.repeat(4096 - 8) } }, undefined, ADA);
      expect((await service.store.apiKeys.list({ userId: null, limit: 10 })).length).toBe(2);
    }));

  it('change their name and limits, sealed anew and audited; null takes a limit off', () =>
    withApiKeys(async ({ service }) => {
      const { id } = await createApiKey(service, { name: 'a', ...LIMITS }, undefined, ADA);
      expect(await updateApiKey(service, id, { name: 'b' }, ADA)).toMatchObject({ ...STORED, name: 'b' });
      const input = { allowed_ips: null, rate_limit: 7, quota: 9, metadata: { secret: 'never told' } };
      const changed = await updateApiKey(service, id, input, ADA);
      expect(changed).toMatchObject({ allowedIps: null, rateLimit: 7, rateWindowSeconds: 60, quota: 9 });
      expect(service.seal.isIntact(await rowOf(service, id))).toBe(true);
      const row = await audited(service, 'api_key_updated');
      expect(row?.details).toEqual({
        prefix: changed.prefix,
        owner: 'ada',
        changes: {
          allowedIps: { from: STORED.allowedIps, to: null },
          rateLimit: { from: 100, to: 7 },
          quota: { from: 5000, to: 9 },
          metadata: 'set',
        },
      });
      const bare = await updateApiKey(service, id, { rate_limit: null, quota: null, metadata: null }, ADA);
      expect(bare).toMatchObject({ rateLimit: null, rateWindowSeconds: null, quota: null, metadata: null });
      expect(service.seal.isIntact(await rowOf(service, id))).toBe(true);
      for (const wrong of [{}, { rate_limit: 5 }, { rate_limit: 5, rate_window_seconds: null }, { scopes: 'a' }])
        expect(await codeOf(updateApiKey(service, id, wrong, ADA))).toBe('ERR_INPUT_INVALID');
    }));

  it('are changed by their owner and admins, and by an API key only where it could issue them', () =>
    withApiKeys(async ({ service }) => {
      const { id } = await createApiKey(service, { name: 'a', scopes: 'read:a', quota: 5 }, undefined, ADA);
      const input = { name: 'k', scopes: 'keys:write,read:a', quota: 5 };
      const { id: keyId } = await createApiKey(service, input, 'ada', ADMIN);
      const theKey = keyActor('ada', keyId, ['keys:write', 'read:a']);
      for (const change of [
        (who: typeof ADA) => updateApiKey(service, id, { quota: null }, who),
        (who: typeof ADA) => rerollApiKey(service, id, {}, who),
        (who: typeof ADA) => disableApiKey(service, id, who),
        (who: typeof ADA) => enableApiKey(service, id, who),
        (who: typeof ADA) => getApiKey(service, id, who),
      ]) {
        expect(await codeOf(change(BOB))).toBe('ERR_NOT_FOUND');
        expect(await codeOf(change(keyActor('ada', keyId, ['read:a'])))).toBe('ERR_FORBIDDEN');
      }
      // It lacks the scope of the key that it would change.
      const weak = keyActor('ada', keyId, ['keys:write']);
      expect(await codeOf(updateApiKey(service, id, { quota: null }, weak))).toBe('ERR_FORBIDDEN');
      expect(await codeOf(rerollApiKey(service, id, {}, weak))).toBe('ERR_FORBIDDEN');
      await disableApiKey(service, id, weak);
      expect(await codeOf(enableApiKey(service, id, weak))).toBe('ERR_FORBIDDEN');
      await enableApiKey(service, id, theKey);
      expect(await updateApiKey(service, id, { quota: 6 }, theKey)).toMatchObject({ quota: 6 });
      // A key never changes itself, nor does its owner what an admin has granted.
      expect(await codeOf(updateApiKey(service, keyId, { quota: null }, theKey))).toBe('ERR_FORBIDDEN');
      expect(await codeOf(rerollApiKey(service, keyId, {}, theKey))).toBe('ERR_FORBIDDEN');
      expect(await codeOf(enableApiKey(service, keyId, theKey))).toBe('ERR_FORBIDDEN');
      expect(await codeOf(updateApiKey(service, keyId, { quota: null }, ADA))).toBe('ERR_FORBIDDEN');
      expect(await codeOf(rerollApiKey(service, keyId, {}, ADA))).toBe('ERR_FORBIDDEN');
      expect(await updateApiKey(service, keyId, { quota: null }, ADMIN)).toMatchObject({ quota: null });
    }));

  it('whose row somebody changed in the database are sealed by nobody again', () =>
    withApiKeys(async ({ service, execute }) => {
      const { id } = await createApiKey(service, { name: 'a', quota: 5 }, undefined, ADA);
      await execute(`update {t}api_keys set quota = 500`);
      const before = await rowOf(service, id);
      expect(await rejectionOf(() => updateApiKey(service, id, { name: 'b' }, ADMIN))).toEqual({
        code: 'ERR_API_KEY_TAMPERED',
        message:
          'The row of the API key was changed in the database; the key is not valid. Revoke it and issue another.',
      });
      expect(await codeOf(rerollApiKey(service, id, {}, ADMIN))).toBe('ERR_API_KEY_TAMPERED');
      expect(await rowOf(service, id)).toEqual(before);
      await execute(`update {t}api_keys set key_hash = null, row_mac = null`);
      expect(await codeOf(updateApiKey(service, id, { name: 'b' }, ADMIN))).toBe('ERR_API_KEY_STATE');
      await revokeApiKey(service, id, {}, ADA);
      expect(await codeOf(updateApiKey(service, id, { name: 'b' }, ADA))).toBe('ERR_API_KEY_STATE');
    }));

  it('are disabled and enabled, apart from being revoked', () =>
    withApiKeys(async ({ service }) => {
      const { id, prefix } = await createApiKey(service, { name: 'a' }, undefined, ADA);
      expect(await codeOf(enableApiKey(service, id, ADA))).toBe('ERR_API_KEY_STATE');
      expect(await disableApiKey(service, id, ADA)).toMatchObject({
        disabledAt: expect.any(String),
        disabledBy: 'ada',
        revokedAt: null,
        isActive: true,
      });
      expect(await codeOf(disableApiKey(service, id, ADA))).toBe('ERR_API_KEY_STATE');
      expect(await codeOf(rerollApiKey(service, id, {}, ADA))).toBe('ERR_API_KEY_STATE');
      expect(await enableApiKey(service, id, ADA)).toMatchObject({ disabledAt: null, disabledBy: null });
      await disableApiKey(service, id, ADMIN);
      expect(await codeOf(enableApiKey(service, id, ADA))).toBe('ERR_FORBIDDEN');
      await enableApiKey(service, id, ADMIN);
      await disableApiKey(service, id, ADA);
      await revokeApiKey(service, id, { reason: 'lost' }, ADA);
      for (const use of [enableApiKey, disableApiKey])
        expect(await rejectionOf(() => use(service, id, ADA))).toEqual({
          code: 'ERR_API_KEY_STATE',
          message: 'The API key is revoked.',
        });
      expect(await getApiKey(service, id, ADA)).toMatchObject({ disabledBy: 'ada', revokedReason: 'lost' });
      for (const action of ['api_key_disabled', 'api_key_enabled'])
        expect((await audited(service, action))?.details).toMatchObject({ prefix, owner: 'ada' });
    }));

  it('are listed by state, prefix and expiry', () =>
    withApiKeys(async ({ service, execute }) => {
      const made = [];
      for (const days of [1, 10, 20, 30, 40])
        made.push(await createApiKey(service, { name: 'a', expires_in_days: days }, undefined, ADA));
      const [expired, both, disabled, revoked, active] = made.map(({ id }) => id) as [
        number,
        number,
        number,
        number,
        number,
      ];
      await execute(`update {t}api_keys set expires_at = '2020-01-01T00:00:00.000Z' where id in (${expired}, ${both})`);
      await disableApiKey(service, both, ADA);
      await disableApiKey(service, disabled, ADA);
      await revokeApiKey(service, revoked, {}, ADA);
      const { id: endless } = await createApiKey(service, { name: 'a' }, undefined, ADA);
      await execute(`update {t}api_keys set expires_at = null where id = ${endless}`);
      const ids = async (filter: object) =>
        (await listApiKeys(service, ADA, { limit: 10, ...filter })).map(({ id }) => id);
      expect(await ids({ state: 'active' })).toEqual([endless, active]);
      expect(await ids({ state: 'disabled' })).toEqual([disabled, both]);
      expect(await ids({ state: 'revoked' })).toEqual([revoked]);
      expect(await ids({ state: 'expired' })).toEqual([expired]);
      expect(await ids({ prefix: made[4]?.prefix })).toEqual([active]);
      expect(await ids({ prefix: made[4]?.prefix.slice(0, -1) })).toEqual([]);
      const end = made[2]?.expiresAt as string;
      expect(await ids({ expiresBefore: end })).toEqual([both, expired]);
      expect(await ids({ expiresAfter: end })).toEqual([endless, active, revoked, disabled]);
      expect(await ids({ expiresAfter: end, expiresBefore: made[3]?.expiresAt })).toEqual([disabled]);
      expect(await ids({ state: 'active', limit: 1, beforeId: endless })).toEqual([active]);
      for (const text of [
        '',
        'now',
        '2026-02-30',
        '0000-01-01T00:00:00Z',
        '2026-13-01T00:00:00Z',
        '+12026-01-01T00:00:00Z',
      ])
        expect(await codeOf(ids({ expiresBefore: text }))).toBe('ERR_INPUT_INVALID');
      expect(await listApiKeys(service, BOB, { limit: 10, prefix: made[4]?.prefix as string })).toEqual([]);
    }));

  it('raise their revision with every change, in its own transaction', () =>
    withApiKeys(async ({ service, other }) => {
      let last = await other.store.apiKeys.revision();
      const raised = async (work: () => Promise<unknown>) => {
        await work();
        const now = await other.store.apiKeys.revision();
        const by = now - last;
        last = now;
        return by;
      };
      const { id } = await createApiKey(service, { name: 'a' }, undefined, ADA);
      expect(await raised(async () => {})).toBe(0);
      expect(await raised(() => updateApiKey(service, id, { quota: 1 }, ADA))).toBe(1);
      expect(await raised(() => disableApiKey(service, id, ADA))).toBe(1);
      expect(await raised(() => enableApiKey(service, id, ADA))).toBe(1);
      expect(await raised(() => rerollApiKey(service, id, {}, ADA))).toBe(1);
      expect(await raised(() => revokeApiKey(service, id, {}, ADA))).toBe(1);
      expect(await raised(() => codeOf(revokeApiKey(service, id, {}, ADA)))).toBe(0);
      expect(await raised(() => service.store.apiKeyUsage.markUsed([{ id, agoMs: 0 }]))).toBe(0);
      const rolledBack = service.store.transaction(async (tx) => {
        await tx.apiKeys.disable(id + 1, 'ada');
        throw new Error('rolled back');
      });
      await expect(rolledBack).rejects.toThrow('rolled back');
      expect(await raised(async () => {})).toBe(0);
    }));
});
