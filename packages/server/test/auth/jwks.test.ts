import { isFieldsealError } from 'fieldseal';
import { exportSPKI, generateKeyPair, importJWK, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import { jwtSettings, jwtVerifier } from '../../src/auth/jwt.ts';
import { AUDIENCE, ISSUER, type ProviderKey, providerKey, providerToken, withKeySet } from './with-key-set.ts';

const keys = new Map<string, ProviderKey>();
const keyOf = (kid: string) => keys.get(kid) as ProviderKey;

beforeAll(async () => {
  for (const [alg, kid] of [
    ['RS256', 'rsa'],
    ['ES256', 'ec'],
    ['EdDSA', 'ed'],
    ['RS256', 'next'],
  ] as const)
    keys.set(kid, await providerKey(alg, kid));
});

function settings(jwksUrl: string) {
  return jwtSettings({ secret: undefined, jwksUrl, issuer: ISSUER, audience: AUDIENCE });
}

/** A verifier on a clock that the test moves, and what it says of tokens. */
function verifierOf(url: string) {
  const clock = { ms: 1_000_000 };
  const failures: string[] = [];
  const verify = jwtVerifier(settings(url), { now: () => clock.ms, onFailure: (reason) => failures.push(reason) });
  /** The subject, or the code and the sentence of the refusal. */
  const said = async (token: string) => {
    try {
      return (await verify(token)).subject;
    } catch (error) {
      if (!isFieldsealError(error)) throw error;
      return `${error.code} ${error.message}`;
    }
  };
  return { said, clock, failures, verify };
}

const INVALID = 'ERR_UNAUTHENTICATED The token is not valid.';
const EXPIRED = 'ERR_UNAUTHENTICATED The token has expired.';
const UNAVAILABLE = 'ERR_UNAVAILABLE The keys that tokens are verified with cannot be fetched now.';
const MINUTE = 60_000;

describe('a token of an identity provider', () => {
  test('is valid under RS256, ES256 and EdDSA, and the keys are fetched once', () =>
    withKeySet(async (endpoint) => {
      endpoint.publish(keyOf('rsa'), keyOf('ec'), keyOf('ed'));
      const { said, verify } = verifierOf(endpoint.url);
      const tokens = await Promise.all(['rsa', 'ec', 'ed'].map((kid) => providerToken(keyOf(kid))));
      expect(await Promise.all(tokens.map(said))).toEqual(['ada', 'ada', 'ada']);
      expect(endpoint.requests).toBe(1);
      const admin = await verify(await providerToken(keyOf('ec'), { scope: 'keys:read admin' }));
      expect(admin).toEqual({ kind: 'user', subject: 'ada', isAdmin: true, scopes: null, apiKeyId: null });
    }));

  test('is refused with another issuer, audience or end, before its time, and without end or subject', () =>
    withKeySet(async (endpoint) => {
      endpoint.publish(keyOf('ec'));
      const { said } = verifierOf(endpoint.url);
      const now = Math.floor(Date.now() / 1000);
      const saidOf = async (claims: object) => said(await providerToken(keyOf('ec'), claims as JWTPayload));
      expect(await saidOf({ iss: 'https://other.example/' })).toBe(INVALID);
      expect(await saidOf({ aud: 'other' })).toBe(INVALID);
      expect(await saidOf({ aud: ['other', AUDIENCE] })).toBe('ada');
      expect(await saidOf({ iss: undefined })).toBe(INVALID);
      expect(await saidOf({ aud: undefined })).toBe(INVALID);
      expect(await saidOf({ exp: undefined })).toBe(INVALID);
      expect(await saidOf({ sub: undefined })).toBe(INVALID);
      expect(await saidOf({ sub: 'a b' })).toBe(INVALID);
      // Clocks may differ by half a minute, and no more.
      expect(await saidOf({ exp: now - 20 })).toBe('ada');
      expect(await saidOf({ exp: now - 40 })).toBe(EXPIRED);
      expect(await saidOf({ nbf: now + 20 })).toBe('ada');
      expect(await saidOf({ nbf: now + 60 })).toBe(INVALID);
    }));

  test('is refused unsigned, under a shared secret made of the public key, and under another algorithm', () =>
    withKeySet(async (endpoint) => {
      endpoint.publish(keyOf('rsa'), keyOf('ec'));
      const { said } = verifierOf(endpoint.url);
      const claims = { sub: 'ada', iss: ISSUER, aud: AUDIENCE, exp: Math.floor(Date.now() / 1000) + 600 };
      expect(await said(new UnsecuredJWT(claims).encode())).toBe(INVALID);
      const publicKey = await importJWK(keyOf('rsa').jwk, 'RS256');
      const forged = [await exportSPKI(publicKey as never), JSON.stringify(keyOf('rsa').jwk)].map((text) =>
        new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: 'rsa' }).sign(new TextEncoder().encode(text)),
      );
      for (const token of await Promise.all(forged)) expect(await said(token)).toBe(INVALID);
      const { privateKey } = await generateKeyPair('RS512');
      expect(await said(await providerToken({ ...keyOf('rsa'), alg: 'RS512', privateKey }))).toBe(INVALID);
      // None of these was a reason to ask anybody.
      expect(endpoint.requests).toBe(0);
      // The id of a key of another type.
      expect(await said(await providerToken({ ...keyOf('ec'), kid: 'rsa' }))).toBe(INVALID);
      const [head, body, mark] = (await providerToken(keyOf('ec'))).split('.') as [string, string, string];
      expect(await said([head, body, mark.replace(/^./, (c) => (c === 'A' ? 'B' : 'A'))].join('.'))).toBe(INVALID);
    }));

  test('is refused under a secret or a private key in the set, and under a key for encryption', () =>
    withKeySet(async (endpoint) => {
      const secret = new Uint8Array(32).fill(7);
      const oct = { kty: 'oct', kid: 'oct', k: Buffer.from(secret).toString('base64url') };
      const privateJwk = { ...keyOf('ed').jwk, d: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' };
      endpoint.publish({ jwk: oct }, { jwk: privateJwk }, { jwk: { ...keyOf('ec').jwk, use: 'enc' } });
      const { said } = verifierOf(endpoint.url);
      const claims = { sub: 'ada', iss: ISSUER, aud: AUDIENCE, exp: Math.floor(Date.now() / 1000) + 600 };
      const shared = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: 'oct' }).sign(secret);
      expect(await said(shared)).toBe(INVALID);
      for (const kid of ['ed', 'ec']) expect(await said(await providerToken(keyOf(kid)))).toBe(INVALID);
    }));
});

describe('the keys', () => {
  test('are fetched again for an unknown one, but however many are named, twice a minute', () =>
    withKeySet(async (endpoint) => {
      endpoint.publish(keyOf('rsa'));
      const { said, clock } = verifierOf(endpoint.url);
      expect(await said(await providerToken(keyOf('rsa')))).toBe('ada');
      endpoint.publish(keyOf('rsa'), keyOf('next'));
      clock.ms += 31_000;
      expect(await said(await providerToken(keyOf('next')))).toBe('ada');
      expect(endpoint.requests).toBe(2);
      const flood = await Promise.all(
        Array.from({ length: 200 }, (_, i) => providerToken({ ...keyOf('rsa'), kid: `no-${i}` })),
      );
      expect(new Set(await Promise.all(flood.map(said)))).toEqual(new Set([INVALID]));
      expect(endpoint.requests).toBe(2);
      clock.ms += 31_000;
      await Promise.all(flood.map(said));
      expect(endpoint.requests).toBe(3);
      // One that the provider took back is not valid any more once the keys were looked at again.
      endpoint.publish(keyOf('next'));
      clock.ms += 10 * MINUTE;
      expect(await said(await providerToken(keyOf('rsa')))).toBe(INVALID);
    }));

  test('go on without their endpoint for an hour, and then nobody is told that a token is wrong', () =>
    withKeySet(async (endpoint) => {
      endpoint.publish(keyOf('rsa'));
      const { said, clock, failures } = verifierOf(endpoint.url);
      const token = await providerToken(keyOf('rsa'));
      expect(await said(token)).toBe('ada');
      endpoint.answer = (response) => response.writeHead(500).end('x');
      for (const minutes of [15, 30, 59]) {
        clock.ms = 1_000_000 + minutes * MINUTE;
        expect([minutes, await said(token)]).toEqual([minutes, 'ada']);
      }
      expect(await said(await providerToken(keyOf('next')))).toBe(UNAVAILABLE);
      clock.ms = 1_000_000 + 60 * MINUTE;
      expect(await said(token)).toBe(UNAVAILABLE);
      expect(new Set(failures)).toEqual(new Set(['it answers 500']));
      endpoint.publish(keyOf('rsa'));
      clock.ms += 6_000;
      expect(await said(token)).toBe('ada');
    }));

  test('are not taken from a redirect, an answer that is too large, no JSON, or nobody', () =>
    withKeySet(async (endpoint) => {
      const { said, clock, failures } = verifierOf(endpoint.url);
      const token = await providerToken(keyOf('rsa'));
      for (const [answer, reason] of [
        [(r) => r.writeHead(302, { location: endpoint.url }).end(), 'it answers 302'],
        [(r) => r.end('x'.repeat(300_000)), 'its answer is larger than 262144 bytes'],
        [(r) => r.end('{"keys":'), 'its answer is not JSON'],
        [(r) => r.end('[]'), 'its answer has no keys'],
        [(r) => r.end(JSON.stringify({ keys: new Array(101).fill({}) })), 'its answer has more than 100 keys'],
        [(r) => r.destroy(), 'it does not answer'],
      ] as [typeof endpoint.answer, string][]) {
        endpoint.answer = answer;
        clock.ms += 6_000;
        const before = endpoint.requests;
        // However many wait, one of them asks; and nobody again for a while.
        expect([reason, new Set(await Promise.all([token, token, token].map(said)))]).toEqual([
          reason,
          new Set([UNAVAILABLE]),
        ]);
        expect(await said(token)).toBe(UNAVAILABLE);
        expect([failures.at(-1), endpoint.requests]).toEqual([reason, before + 1]);
      }
    }));
});

describe('the settings', () => {
  const refusal = (given: object) => {
    try {
      jwtSettings({ secret: undefined, jwksUrl: undefined, issuer: undefined, audience: undefined, ...given });
      return null;
    } catch (error) {
      return isFieldsealError(error) ? `${error.code} ${error.message}` : error;
    }
  };
  const both = { issuer: ISSUER, audience: AUDIENCE };

  test('name the variable that is missing or wrong, and never say what it holds', () => {
    const url = 'https://login.example/jwks';
    expect(refusal({ jwksUrl: url, audience: 'a' })).toMatch(/^ERR_CONFIG_INVALID AUTH_ISSUER is not set/);
    expect(refusal({ jwksUrl: url, issuer: 'a' })).toMatch(/^ERR_CONFIG_INVALID AUTH_AUDIENCE is not set/);
    expect(refusal({ jwksUrl: url, secret: 'x'.repeat(32), ...both })).toMatch(
      /^ERR_CONFIG_INVALID AUTH_JWT_SECRET and/,
    );
    for (const wrong of [
      'http://login.example/jwks',
      'http://127.0.0.1.example/jwks',
      'ftp://127.0.0.1/jwks',
      'https://user:hunter2@login.example/jwks',
      'hunter2',
    ]) {
      expect([wrong, refusal({ jwksUrl: wrong, ...both })]).toEqual([
        wrong,
        expect.stringMatching(/^ERR_CONFIG_INVALID AUTH_JWKS_URL must be(?!.*hunter2)/),
      ]);
    }
    for (const right of [url, 'http://localhost:8080/jwks', 'http://[::1]/jwks', 'http://127.0.0.1/jwks'])
      expect([right, refusal({ jwksUrl: right, ...both })]).toEqual([right, null]);
  });
});
