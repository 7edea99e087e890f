import { describe, expect, it, test } from 'vitest';
import { jwtSettings, signJwt } from '../../src/auth/jwt.ts';
import { readSettings } from '../../src/config/settings.js';
import { refusalOf, rejectionOf } from '../refusal.ts';

describe('the settings', () => {
  it('have a default each', () => {
    expect(readSettings({})).toMatchObject({
      host: '127.0.0.1',
      port: 8000,
      apiKeysTakeOverOnUse: false,
      logLevel: 'info',
      metricsEnabled: true,
      metricsToken: null,
      docsEnabled: true,
      drainSeconds: 0,
      maxReplicationLagSeconds: null,
    });
  });

  it('are what the variables say', () => {
    const env = {
      API_KEYS_TAKE_OVER_ON_USE: 'true',
      LOG_LEVEL: 'Warn',
      METRICS_ENABLED: 'false',
      METRICS_TOKEN: 'a-token-of-16-chars',
      DOCS_ENABLED: '0',
      DRAIN_SECONDS: '15',
      MAX_REPLICATION_LAG_SECONDS: '30',
    };
    expect(readSettings(env)).toMatchObject({
      apiKeysTakeOverOnUse: true,
      logLevel: 'warn',
      metricsEnabled: false,
      metricsToken: 'a-token-of-16-chars',
      docsEnabled: false,
      drainSeconds: 15,
      maxReplicationLagSeconds: 30,
    });
  });

  it.each([
    ['API_KEYS_TAKE_OVER_ON_USE', 'always'],
    ['LOG_LEVEL', 'loud'],
    ['METRICS_ENABLED', 'perhaps'],
    ['METRICS_TOKEN', 'too short'],
    ['METRICS_TOKEN', 'fifteen-chars..'],
    ['DOCS_ENABLED', 'nein'],
    ['DRAIN_SECONDS', '-1'],
    ['DRAIN_SECONDS', '601'],
    ['MAX_REPLICATION_LAG_SECONDS', '0'],
    ['MAX_REPLICATION_LAG_SECONDS', '10s'],
    ['TRUSTED_PROXIES', '300.1.1.1'],
    ['TRUSTED_PROXIES', '10.0.0.0/33'],
    ['TRUSTED_PROXIES', 'loopback'],
  ])('refuse %s=%s by the name, without the value', (name, value) => {
    const read = () => readSettings({ [name]: value });
    expect(read).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIG_INVALID', message: expect.stringContaining(name) }),
    );
    if (value.length > 2) expect(read).not.toThrow(value);
  });
});

test('the limit of requests is a whole number, 6000 unless told, and 0 for none', () => {
  const limit = (text?: string) => readSettings({ RATE_LIMIT_PER_MINUTE: text }).rateLimitPerMinute;
  expect([limit(), limit(''), limit('0'), limit('100')]).toEqual([6000, 6000, 0, 100]);
  for (const wrong of ['-1', '1.5', '1e3', 'many']) {
    expect(refusalOf(() => limit(wrong))).toEqual({
      code: 'ERR_CONFIG_INVALID',
      message: 'RATE_LIMIT_PER_MINUTE must be a whole number from 0 to 10000000.',
    });
  }
});

test('trusted proxies are addresses and networks', () => {
  const proxies = (text: string) => readSettings({ TRUSTED_PROXIES: text }).trustedProxies;
  expect(proxies('10.0.0.1, 10.1.0.0/16,2001:db8::/32, ::1')).toHaveLength(4);
  for (const wrong of ['abc', '10.0.0.0/33', '10.0.0', '1.2.3.4/', '::1/129', '10.0.0.0/8/8', 'fe80::1%eth0']) {
    expect(refusalOf(() => proxies(wrong)).code).toBe('ERR_CONFIG_INVALID');
  }
});

test('origins are named one by one, as browsers write them; none is all of them', () => {
  const origins = (text?: string) => readSettings({ CORS_ORIGINS: text }).corsOrigins;
  expect(origins()).toEqual([]);
  expect(origins('https://app.example, http://localhost:3000')).toEqual([
    'https://app.example',
    'http://localhost:3000',
  ]);
  for (const wrong of [
    '*',
    'null',
    'https://*.example',
    'https://app.example/',
    'https://app.example:443',
    'app.example',
  ]) {
    expect(refusalOf(() => origins(wrong))).toEqual({
      code: 'ERR_CONFIG_INVALID',
      message: 'CORS_ORIGINS must be origins, separated by commas: https://app.example, http://localhost:3000.',
    });
  }
});

test('where tokens come from an identity provider, none is made here', async () => {
  const settings = jwtSettings({ secret: undefined, jwksUrl: 'https://a.example/', issuer: 'i', audience: 'a' });
  const token = { subject: '1', isAdmin: false, scopes: [], ttlSeconds: 60 };
  expect(await rejectionOf(() => signJwt(settings, token, 0))).toEqual({
    code: 'ERR_CONFIG_INVALID',
    message: 'A token is signed with AUTH_JWT_SECRET; with AUTH_JWKS_URL, tokens come from your identity provider.',
  });
});
