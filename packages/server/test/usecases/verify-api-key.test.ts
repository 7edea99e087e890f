import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { generateApiKey } from '../../src/auth/api-key-format.js';
import type { Store } from '../../src/store/store.js';
import { ApiKeyVerification } from '../../src/usecases/api-key-verification.js';
import { authenticateApiKey } from '../../src/usecases/authenticate-api-key.js';
import { rerollApiKey } from '../../src/usecases/reroll-api-key.js';
import { OPERATOR_ACTOR, type Service } from '../../src/usecases/service.js';
import { takeOverApiKeys } from '../../src/usecases/take-over-api-keys.js';
import { verifyApiKey } from '../../src/usecases/verify-api-key.js';
import { alter, insertOriginal, issueKey, onPostgresSchema, onSqliteFile } from './with-open-service.js';

const CHILD = fileURLToPath(new URL('verifying-child.ts', import.meta.url));
const NOT_FOUND = {
  valid: false,
  code: 'NOT_FOUND',
  keyId: null,
  userId: null,
  scopes: null,
  expiresAt: null,
  rateLimit: null,
};

/** A store that writes down what it is asked of API keys. `hold` may keep an answer back. */
function observed(store: Store, asked: string[], hold: (name: string) => Promise<void> = async () => {}): Store {
  const watch = <T extends object>(repository: T): T =>
    new Proxy(repository, {
      get(target, name) {
        const method = Reflect.get(target, name);
        if (typeof method !== 'function') return method;
        return async (...args: unknown[]) => {
          asked.push(String(name));
          const answer = await method.apply(target, args);
          await hold(String(name));
          return answer;
        };
      },
    });
  return { ...store, apiKeys: watch(store.apiKeys), apiKeyUsage: watch(store.apiKeyUsage) };
}

/** An answer that is held back: `held` once it is there, until `release`. */
function heldBack() {
  let [tell, release] = [() => {}, () => {}];
  const held = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const hold = () => {
    tell();
    return released;
  };
  return { held, hold, release };
}

function withWrongChecksum(key: string): string {
  return `${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`;
}

const code = async (service: Service, key: string, rest: { scopes?: string[]; ip?: string } = {}) =>
  (await verifyApiKey(service, { key, ...rest })).code;

describe.each([
  ['SQLite', onSqliteFile],
  ['PostgreSQL', onPostgresSchema],
])('on %s', (_name, onPlace) => {
  it.each([false, true])(
    'a key is valid, or its holder learns what stands against it; nobody else learns anything (from memory: %s)',
    (isStarted) =>
      onPlace(async (place) => {
        const service = await place.open();
        if (isStarted) await service.verification.start();
        const { key, row } = await issueKey(service);
        const verdict = await verifyApiKey(service, { key, scopes: 'read:projects, write:sns' });
        expect(verdict).toEqual({
          valid: true,
          code: 'VALID',
          keyId: row.id,
          userId: '7',
          scopes: ['read:projects', 'write:sns'],
          expiresAt: '2126-01-01T00:00:00.000Z',
          rateLimit: null,
        });
        const other = generateApiKey('pk').key;
        const wrong = [other, key.slice(0, 9) + other.slice(9), withWrongChecksum(key), key.slice(0, -1), `${key}0`];
        for (const text of [...wrong, 'x', 'pk_', '__________', '☃'.repeat(9)]) {
          expect(await verifyApiKey(service, { key: text })).toEqual(NOT_FOUND);
        }
        expect(await verifyApiKey(service, { key, scopes: ['read:projects', 'delete:all'] })).toEqual({
          ...verdict,
          valid: false,
          code: 'INSUFFICIENT_SCOPE',
        });

        const expired = await issueKey(service, { expiresAt: '2026-01-02T00:00:00.000Z' });
        const endless = await issueKey(service, { expiresAt: null });
        const office = await issueKey(service, { allowedIps: ['192.0.2.0/24', '2001:db8::1'] });
        expect(await code(service, expired.key)).toBe('EXPIRED');
        expect(await verifyApiKey(service, { key: endless.key })).toMatchObject({ code: 'VALID', expiresAt: null });
        expect(await code(service, office.key, { ip: '192.0.2.7' })).toBe('VALID');
        expect(await code(service, office.key, { ip: '::ffff:192.0.2.7' })).toBe('VALID');
        expect(await code(service, office.key, { ip: '192.0.3.7' })).toBe('FORBIDDEN_IP');
        expect(await code(service, office.key)).toBe('FORBIDDEN_IP');
        await expect(verifyApiKey(service, { key: office.key, ip: 'here' })).rejects.toMatchObject({
          code: 'ERR_INPUT_INVALID',
          message: 'ip is not an IP address.',
        });

        await alter(place, `update {t}api_keys set disabled_at = created_at where id = ${office.row.id}`);
        await service.store.apiKeys.revoke(endless.row.id, { by: '7', reason: null });
        await service.verification.poll();
        expect(await code(service, endless.key)).toBe('REVOKED');
        expect(await code(service, office.key, { ip: '192.0.2.7' })).toBe('DISABLED');
      }),
  );

  it('a row that was altered is no key any more, and leaves one audit row however often it is tried', () =>
    onPlace(async (place) => {
      const service = await place.open();
      const { key, row } = await issueKey(service);
      for (const change of ["scopes = 'admin'", "user_id = '8'", 'expires_at = null', 'quota = 5', "key_hash = 'aa'"]) {
        const fresh = await issueKey(service);
        await alter(place, `update {t}api_keys set ${change} where id = ${fresh.row.id}`);
        expect(await verifyApiKey(service, { key: fresh.key })).toEqual(NOT_FOUND);
      }
      await alter(place, `update {t}api_keys set scopes = 'admin' where id = ${row.id}`);
      for (let i = 0; i < 3; i++) expect(await verifyApiKey(service, { key })).toEqual(NOT_FOUND);
      const audited = await service.store.audit.list({ action: 'api_key_tampered', limit: 10 });
      // The row with another hash is simply not the key's.
      expect(audited).toHaveLength(5);
      expect(audited[0]).toMatchObject({ resourceId: String(row.id), status: 'failure' });
      expect(JSON.stringify(audited)).not.toContain(key.slice(9));
    }));

  it('an audit row of an altered row that could not be written is written with the next use', () =>
    onPlace(async (place) => {
      let isFull = true;
      const insert =
        (store: Store): Store['audit']['insert'] =>
        async (row) => {
          if (isFull) throw new Error('no room');
          return store.audit.insert(row);
        };
      const service = await place.open({
        wrap: (store) => ({ ...store, audit: { ...store.audit, insert: insert(store) } }),
      });
      const { key, row } = await issueKey(service);
      await alter(place, `update {t}api_keys set scopes = 'admin' where id = ${row.id}`);
      expect(await verifyApiKey(service, { key })).toEqual(NOT_FOUND);
      isFull = false;
      for (let i = 0; i < 2; i++) expect(await verifyApiKey(service, { key })).toEqual(NOT_FOUND);
      expect(await service.store.audit.list({ action: 'api_key_tampered', limit: 10 })).toHaveLength(1);
    }));

  it.each([false, true])(
    'a key that a reroll has ended is not valid where the clock of the process is behind (from memory: %s)',
    (isStarted) =>
      onPlace(async ({ open }) => {
        const service = await open();
        const { key, row } = await issueKey(service);
        const behindMs = Date.now() - 3_600_000;
        const clock = vi.spyOn(Date, 'now').mockImplementation(() => behindMs);
        try {
          if (isStarted) await service.verification.start();
          expect(await code(service, key)).toBe('VALID');
          await rerollApiKey(service, row.id, {}, OPERATOR_ACTOR);
          await service.verification.poll();
          for (let i = 0; i < 2; i++) expect(await code(service, key)).toBe('EXPIRED');
        } finally {
          clock.mockRestore();
        }
      }),
  );

  it('a wrong checksum is refused without the database, except where keys of the original have none', () =>
    onPlace(async ({ open, keys }) => {
      const asked: string[] = [];
      const service = await open({ wrap: (store) => observed(store, asked) });
      await service.verification.start();
      const { key } = await issueKey(service);
      const mistyped = withWrongChecksum(key);
      await service.verification.poll();
      asked.length = 0;
      expect(await verifyApiKey(service, { key: mistyped })).toEqual(NOT_FOUND);
      expect(asked).toEqual([]);
      expect(await verifyApiKey(service, { key: key.replace('pk_', 'xx_') })).toEqual(NOT_FOUND);
      expect(asked).toEqual([]);
      expect(await code(service, key)).toBe('VALID');
      expect(await code(service, key)).toBe('VALID');
      expect(asked).toEqual(['findByPrefixes']);

      // As the guide of the original shows one, and with the underscores that `secrets.token_urlsafe` makes.
      const originals = ['pk_abc124_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', 'pk_abc125_a_b-cdefghijklmnopqrstuvwxyz_0123'];
      for (const original of originals) {
        await insertOriginal(service, original);
        expect(await code(service, original)).toBe('NOT_FOUND');
      }
      const elsewhere = await open();
      expect((await takeOverApiKeys(elsewhere, false, OPERATOR_ACTOR)).hashed).toHaveLength(2);
      await service.verification.poll();
      for (const original of originals) expect(await code(service, original)).toBe('VALID');
      asked.length = 0;
      expect(await verifyApiKey(service, { key: mistyped })).toEqual(NOT_FOUND);
      expect(asked).toEqual(['findByPrefixes']);
      expect(keys.previous).toEqual([]);
    }));

  it('what was read before a change is not kept: neither when the change is seen meanwhile nor when nothing is known', () =>
    onPlace(async ({ open }) => {
      const asked: string[] = [];
      let meanwhile = async () => {};
      const service = await open({
        wrap: (store) => observed(store, asked, async (name) => (name === 'findByPrefixes' ? meanwhile() : undefined)),
      });
      await service.verification.start();
      const elsewhere = await open();
      const { key, row } = await issueKey(elsewhere);
      await service.verification.poll();
      meanwhile = async () => {
        meanwhile = async () => {};
        await elsewhere.store.apiKeys.revoke(row.id, { by: '1', reason: null });
        await service.verification.poll();
      };
      expect(await code(service, key)).toBe('VALID'); // Read before the revocation, told after it, and forgotten.
      expect(await code(service, key)).toBe('REVOKED');

      const second = await issueKey(elsewhere);
      await service.verification.poll();
      expect(await code(service, second.key)).toBe('VALID');
      await elsewhere.store.apiKeys.revoke(second.row.id, { by: '1', reason: null });
      await service.verification.stop(); // Nothing is fresh from now on.
      expect(await code(service, second.key)).toBe('REVOKED');
    }));

  it('a key that was once refused as revoked is not valid again when an older poll is answered', () =>
    onPlace(async ({ open }) => {
      let onRevision = async () => {};
      const { store, seal } = await open({
        wrap: (opened) => observed(opened, [], async (name) => (name === 'revision' ? onRevision() : undefined)),
      });
      let nowMs = 0;
      const clock = { monotonicMs: () => nowMs, wallMs: () => nowMs };
      const service = { ...(await open()), verification: new ApiKeyVerification(store, seal, 10, clock) };
      const { key, row } = await issueKey(service);
      await service.verification.start();
      expect(await code(service, key)).toBe('VALID');
      nowMs = 900;
      const answer = heldBack();
      onRevision = answer.hold;
      const poll = service.verification.poll();
      await answer.held;
      await service.store.apiKeys.revoke(row.id, { by: '1', reason: null });
      nowMs = 1100;
      expect(await code(service, key)).toBe('REVOKED');
      answer.release();
      await poll;
      expect(await code(service, key)).toBe('REVOKED');
      await service.verification.stop();
    }));

  it('verifications of one key at once ask the database once', () =>
    onPlace(async ({ open }) => {
      const asked: string[] = [];
      const service = await open({ wrap: (store) => observed(store, asked) });
      const { key } = await issueKey(service);
      await service.verification.start();
      const codes = await Promise.all(Array.from({ length: 32 }, () => code(service, key)));
      expect(new Set(codes)).toEqual(new Set(['VALID']));
      expect(asked.filter((name) => name === 'findByPrefixes')).toHaveLength(1);
      await service.verification.stop();
    }));

  it('verifications of many keys at once ask the database once, and each learns of its own', () =>
    onPlace(async ({ open }) => {
      const asked: string[] = [];
      const service = await open({ wrap: (store) => observed(store, asked) });
      const issued = [];
      for (let i = 0; i < 20; i++) issued.push(await issueKey(service, { userId: String(i) }));
      asked.length = 0;
      const verdicts = await Promise.all(
        issued.flatMap(({ key }) => [
          verifyApiKey(service, { key }),
          verifyApiKey(service, { key: `${key.slice(0, 9)}_x` }),
        ]),
      );
      expect(asked.filter((name) => name === 'findByPrefixes')).toHaveLength(1);
      for (const [i, { row }] of issued.entries()) {
        expect(verdicts[2 * i]).toMatchObject({ code: 'VALID', keyId: row.id, userId: String(i) });
        expect(verdicts[2 * i + 1]).toEqual(NOT_FOUND);
      }
    }));

  it('an answer that was read before a revocation is not remembered once a later one was asked for', () =>
    onPlace(async ({ open }) => {
      let onRow = async () => {};
      const { store, seal } = await open({
        wrap: (opened) => observed(opened, [], async (name) => (name === 'findByPrefixes' ? onRow() : undefined)),
      });
      let nowMs = 0;
      const clock = { monotonicMs: () => nowMs, wallMs: () => nowMs };
      const service = { ...(await open()), verification: new ApiKeyVerification(store, seal, 10, clock) };
      const { key, row } = await issueKey(service);
      await service.verification.start();
      const answer = heldBack();
      onRow = () => {
        onRow = async () => {};
        return answer.hold();
      };
      const early = code(service, key);
      await answer.held;
      nowMs = 1500; // Nothing is fresh.
      await service.store.apiKeys.revoke(row.id, { by: '1', reason: null });
      expect(await code(service, key)).toBe('REVOKED');
      nowMs = 900; // As if a poll of before were answered.
      answer.release();
      expect(await early).toBe('VALID');
      expect(await code(service, key)).toBe('REVOKED');
      await service.verification.stop();
    }));

  it('a key that somebody revokes by hand, without a revision, is noticed within ten seconds', () =>
    onPlace(async (place) => {
      const { store, seal } = await place.open();
      let nowMs = 0;
      const clock = { monotonicMs: () => nowMs, wallMs: () => nowMs };
      const service = { ...(await place.open()), verification: new ApiKeyVerification(store, seal, 10, clock) };
      const { key, row } = await issueKey(service);
      await service.verification.start();
      expect(await code(service, key)).toBe('VALID');
      await alter(place, `UPDATE {t}api_keys SET is_active = false WHERE id = ${row.id}`);
      nowMs = 9_999;
      await service.verification.poll();
      expect(await code(service, key)).toBe('VALID');
      nowMs = 10_000;
      await service.verification.poll();
      expect(await code(service, key)).toBe('REVOKED');
      await service.verification.stop();
    }));

  it('a rate limit and a quota hold exactly over two processes, and tell how long to wait', () =>
    onPlace(async ({ open }) => {
      const services = [await open(), await open()] as const;
      for (const { verification } of services) await verification.start();
      const limited = await issueKey(services[0], { rateLimit: 50, rateWindowSeconds: 3600 });
      const counted = await issueKey(services[0], { quota: 50 });
      for (const [{ key }, refused] of [
        [limited, 'RATE_LIMITED'],
        [counted, 'QUOTA_EXCEEDED'],
      ] as const) {
        // Refused for its scopes, a use is not counted.
        expect(await code(services[0], key, { scopes: ['other'] })).toBe('INSUFFICIENT_SCOPE');
        const codes = await Promise.all(
          Array.from({ length: 200 }, (_, i) => code(services[i % 2 === 0 ? 0 : 1] as Service, key)),
        );
        expect(codes.filter((each) => each === 'VALID')).toHaveLength(50);
        expect(codes.filter((each) => each === refused)).toHaveLength(150);
      }
      const { rateLimit } = await verifyApiKey(services[0], { key: limited.key });
      expect(rateLimit).toEqual({ limit: 50, windowSeconds: 3600, remaining: 0, resetSeconds: expect.any(Number) });
      expect(rateLimit?.resetSeconds).toBeGreaterThan(0);
      let wait = 0;
      const authenticated = authenticateApiKey(services[0], limited.key, null, (seconds) => {
        wait = seconds;
      });
      await expect(authenticated).rejects.toMatchObject({
        code: 'ERR_RATE_LIMITED',
        message: 'The API key is used too often; wait until Retry-After is over.',
      });
      expect(wait).toBeGreaterThan(0);
      await expect(authenticateApiKey(services[0], counted.key, null)).rejects.toMatchObject({
        code: 'ERR_RATE_LIMITED',
        message: 'The quota of the API key is used up.',
      });
    }));

  it('the last use is written when verification stops, and a use that cannot be written fails nothing', () =>
    onPlace(async (place) => {
      const asked: string[] = [];
      const service = await place.open({ wrap: (store) => observed(store, asked) });
      await service.verification.start();
      const used = await issueKey(service);
      for (let i = 0; i < 20; i++) expect(await code(service, used.key)).toBe('VALID');
      expect(asked.filter((name) => name === 'markUsed')).toEqual([]);
      await service.verification.stop();
      expect(asked.filter((name) => name === 'markUsed')).toHaveLength(1);
      expect((await service.store.apiKeys.get(used.row.id))?.lastUsedAt).toMatch(/Z$/);
      // Not started, it is written at once.
      const next = await issueKey(service);
      expect(await code(service, next.key)).toBe('VALID');
      expect((await service.store.apiKeys.get(next.row.id))?.lastUsedAt).toMatch(/Z$/);
      const failing = await place.open({
        wrap: (store) => ({
          ...store,
          apiKeyUsage: { ...store.apiKeyUsage, markUsed: () => Promise.reject(new Error('no room')) },
        }),
      });
      expect(await code(failing, next.key)).toBe('VALID');
    }));

  it('of a thousand verifications at once in another process, none that begins a second after a revocation is valid', () =>
    onPlace(async ({ open, childArgs }) => {
      const service = await open();
      const { key, row } = await issueKey(service);
      const child = fork(CHILD, [JSON.stringify({ ...JSON.parse(childArgs), presented: key })], {
        execArgv: ['--import', 'tsx'],
      });
      try {
        expect(await once(child, 'message')).toEqual(['ready', undefined]);
        await service.store.transaction((tx) => tx.apiKeys.revoke(row.id, { by: '1', reason: null }));
        const committed = process.hrtime.bigint();
        const [told] = await once(child, 'message');
        const { counts, lastValidBegan } = JSON.parse(told);
        expect(counts).toEqual({ VALID: expect.any(Number), REVOKED: expect.any(Number) });
        expect(counts.VALID).toBeGreaterThanOrEqual(3000);
        expect(counts.REVOKED).toBeGreaterThanOrEqual(5000);
        expect(Number(BigInt(lastValidBegan) - committed) / 1e9).toBeLessThan(1);
      } finally {
        child.kill('SIGKILL');
      }
    }));
});
