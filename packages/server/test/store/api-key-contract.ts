/** What the API key repository of every store promises. */
import { describe, expect, it } from 'vitest';
import { type ApiKeyRow, type CheckedApiKeyRow, type NewApiKeyRow, NO_LIMITS } from '../../src/store/store.js';
import { RFC_3339_UTC, type WithStore, withOneStore, withTwoStores } from './store-under-test.js';

export const KEY: NewApiKeyRow = {
  ...NO_LIMITS,
  userId: '7',
  name: 'Production API Key',
  prefix: 'pk_abc123',
  keyHash: 'ab'.repeat(32),
  rowMac: 'cd'.repeat(32),
  encryptedKey: 'gAAAAA',
  scopes: ['read:projects', 'write:sns'],
  createdAt: '2026-02-26T10:00:00.000Z',
  expiresAt: '2026-03-28T10:00:00.000Z',
  rerolledFrom: null,
};

/** What verification reads of a row: no token of the key among it. */
function checked(row: ApiKeyRow): CheckedApiKeyRow {
  const { name, encryptedKey, createdAt, lastUsedAt, revokedBy, revokedReason, disabledBy, rerolledFrom, ...rest } =
    row;
  return rest;
}

export function apiKeyContract(name: string, withStore: WithStore): void {
  describe(`${name}: an API key`, () => {
    it('comes back as it was given, active and unused', () =>
      withOneStore(withStore, async (store) => {
        const row = await store.apiKeys.insert(KEY);
        expect(row).toEqual({
          id: 1,
          ...KEY,
          lastUsedAt: null,
          isActive: true,
          revokedAt: null,
          revokedBy: null,
          revokedReason: null,
          disabledAt: null,
          disabledBy: null,
        });
        expect(await store.apiKeys.get(1)).toEqual(row);
        expect(await store.apiKeys.findByPrefixes(['pk_abc123'])).toEqual([checked(row)]);
        expect(await store.apiKeys.get(2)).toBeNull();
        expect(await store.apiKeys.findByPrefixes(['PK_ABC123'])).toEqual([]);
      }));

    it('keeps what bounds its use', () =>
      withOneStore(withStore, async (store) => {
        const limits = {
          allowedIps: ['10.0.0.0/8', '2001:db8::1'],
          rateLimit: 100,
          rateWindowSeconds: 60,
          quota: 5000,
          metadata: '{"team":"billing"}',
          rerolledFrom: 1,
        };
        const { id } = await store.apiKeys.insert({ ...KEY, ...limits });
        expect(await store.apiKeys.get(id)).toMatchObject(limits);
      }));

    it('may have no scopes, no end and no encrypted copy, and its times may be written in any zone', () =>
      withOneStore(withStore, async (store) => {
        const bare = { ...KEY, scopes: [], expiresAt: null, encryptedKey: null, keyHash: null, rowMac: null };
        expect(await store.apiKeys.insert({ ...bare, createdAt: '2026-02-26T11:00:00+01:00' })).toMatchObject(bare);
      }));

    it('with a scope that would be read as two is refused', () =>
      withOneStore(withStore, async (store) => {
        for (const scope of ['a,admin', '', ' a']) {
          await expect(store.apiKeys.insert({ ...KEY, scopes: [scope] })).rejects.toThrow(
            new TypeError('A scope is a text without commas and without white space around it'),
          );
        }
        expect(await store.apiKeys.list({ userId: null, limit: 10 })).toEqual([]);
      }));

    it('whose prefix is taken is refused, and its transaction goes on with another', () =>
      withOneStore(withStore, async (store) => {
        await store.apiKeys.insert(KEY);
        await store.transaction(async (tx) => {
          await expect(tx.apiKeys.insert({ ...KEY, userId: '8' })).rejects.toMatchObject({
            code: 'ERR_API_KEY_PREFIX_TAKEN',
            message: 'Another API key has this prefix; try again.',
          });
          await tx.apiKeys.insert({ ...KEY, userId: '8', prefix: 'pk_other1' });
        });
        const found = await store.apiKeys.findByPrefixes(['pk_other1', 'pk_abc123', 'pk_other1', 'pk_"{,}', '']);
        expect(found.map(({ prefix, userId }) => [prefix, userId]).sort()).toEqual([
          ['pk_abc123', '7'],
          ['pk_other1', '8'],
        ]);
      }));

    it('is listed newest first, by owner and page by page', () =>
      withOneStore(withStore, async (store) => {
        for (const [index, userId] of ['7', '8', '7', '7'].entries()) {
          await store.apiKeys.insert({ ...KEY, userId, prefix: `pk_${index}` });
        }
        const ids = async (options: Parameters<typeof store.apiKeys.list>[0]) =>
          (await store.apiKeys.list(options)).map(({ id }) => id);
        expect(await ids({ userId: null, limit: 10 })).toEqual([4, 3, 2, 1]);
        expect(await ids({ userId: '7', limit: 2 })).toEqual([4, 3]);
        expect(await ids({ userId: '7', limit: 2, beforeId: 3 })).toEqual([1]);
        expect(await ids({ userId: '9', limit: 2 })).toEqual([]);
      }));

    it('is revoked once, with who, when and why', () =>
      withTwoStores(withStore, async (first, second) => {
        const { id } = await first.apiKeys.insert(KEY);
        const change = { by: '1', reason: 'Key compromised' };
        const revoked = await Promise.all([first, second].map((store) => store.apiKeys.revoke(id, change)));
        expect(revoked.filter((row) => row !== null)).toEqual([await first.apiKeys.get(id)]);
        expect(await first.apiKeys.get(id)).toMatchObject({
          isActive: false,
          revokedAt: expect.stringMatching(RFC_3339_UTC),
          revokedBy: '1',
          revokedReason: 'Key compromised',
        });
        expect(await first.apiKeys.revoke(id, { by: '2', reason: null })).toBeNull();
        expect(await first.apiKeys.revoke(99, { by: '2', reason: null })).toBeNull();
        expect((await first.apiKeys.get(id))?.revokedBy).toBe('1');
      }));

    it('is changed only as it was read, and not once it is revoked', () =>
      withOneStore(withStore, async ({ apiKeys }) => {
        const { id } = await apiKeys.insert(KEY);
        const change = { ...NO_LIMITS, name: 'b', quota: 7, rowMac: 'ef' };
        expect(await apiKeys.update(id, 'other', change)).toBeNull();
        expect(await apiKeys.update(99, KEY.rowMac as string, change)).toBeNull();
        const revision = await apiKeys.revision();
        expect(await apiKeys.update(id, KEY.rowMac as string, change)).toEqual(await apiKeys.get(id));
        expect(await apiKeys.lock(id)).toMatchObject({ ...change, scopes: KEY.scopes, expiresAt: KEY.expiresAt });
        const end = { expiresAt: '2026-03-01T12:00:00+02:00', rowMac: '01' };
        expect(await apiKeys.setExpiry(id, KEY.rowMac as string, end)).toBeNull();
        expect(await apiKeys.setExpiry(id, 'ef', end)).toMatchObject({
          expiresAt: '2026-03-01T10:00:00.000Z',
          rowMac: '01',
        });
        expect(await apiKeys.revision()).toBe(revision + 2);
        await apiKeys.revoke(id, { by: '1', reason: null });
        expect(await apiKeys.update(id, '01', change)).toBeNull();
        expect(await apiKeys.setExpiry(id, '01', end)).toBeNull();
        expect(await apiKeys.disable(id, '1')).toBeNull();
        expect(await apiKeys.revision()).toBe(revision + 3);
      }));

    it('that is locked is changed by nobody else until the transaction has ended', () =>
      withTwoStores(withStore, async (first, second) => {
        const { id } = await first.apiKeys.insert(KEY);
        const order: string[] = [];
        let others: Promise<unknown> = Promise.resolve();
        await first.transaction(async (tx) => {
          await tx.apiKeys.lock(id);
          others = second.apiKeys.disable(id, 'second').then(() => order.push('second'));
          expect(await tx.apiKeys.disable(id, 'first')).not.toBeNull();
          order.push('first');
        });
        await others;
        expect([order, (await first.apiKeys.get(id))?.disabledBy]).toEqual([['first', 'second'], 'first']);
      }));

    it('has one successor', () =>
      withOneStore(withStore, async ({ apiKeys }) => {
        const { id } = await apiKeys.insert(KEY);
        expect(await apiKeys.findSuccessor(id)).toBeNull();
        const next = await apiKeys.insert({ ...KEY, prefix: 'pk_next01', rerolledFrom: id });
        expect(await apiKeys.findSuccessor(id)).toEqual(next);
        await expect(apiKeys.insert({ ...KEY, prefix: 'pk_next02', rerolledFrom: id })).rejects.toThrow();
      }));

    it('without a hash gets one once', () =>
      withOneStore(withStore, async (store) => {
        await store.apiKeys.insert(KEY);
        for (const prefix of ['pk_2', 'pk_3', 'pk_4']) {
          await store.apiKeys.insert({ ...KEY, prefix, keyHash: null, rowMac: null });
        }
        expect((await store.apiKeys.listUnhashed(2)).map(({ id }) => id)).toEqual([2, 3]);
        expect(await store.apiKeys.setHash(3, { keyHash: 'aa', rowMac: 'bb' })).toBe(true);
        expect(await store.apiKeys.setHash(3, { keyHash: 'cc', rowMac: 'dd' })).toBe(false);
        expect(await store.apiKeys.setHash(99, { keyHash: 'cc', rowMac: 'dd' })).toBe(false);
        expect(await store.apiKeys.get(3)).toMatchObject({ keyHash: 'aa', rowMac: 'bb' });
        expect((await store.apiKeys.listUnhashed(10)).map(({ id }) => id)).toEqual([2, 4]);
      }));

    it('raises the revision with each change, and tells of keys without a checksum once there are some', () =>
      withTwoStores(withStore, async (first, second) => {
        const seen = [await first.apiKeys.revision()];
        const change = async (work: () => Promise<unknown>) => {
          await work();
          seen.push(await second.apiKeys.revision());
        };
        const { id } = await first.apiKeys.insert({ ...KEY, keyHash: null, rowMac: null });
        await change(() => first.apiKeys.setHash(id, { keyHash: 'aa', rowMac: 'bb' }));
        await change(() => first.apiKeys.revoke(id, { by: '1', reason: null }));
        expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
        const unchanged = await first.apiKeys.revision();
        await first.apiKeyUsage.markUsed([{ id, agoMs: 0 }]);
        expect(await first.apiKeys.revision()).toBe(unchanged);
        expect(await second.apiKeys.hasUnchecked()).toBe(false);
        await first.apiKeys.noteUnchecked();
        expect(await second.apiKeys.hasUnchecked()).toBe(true);
      }));
  });
}
