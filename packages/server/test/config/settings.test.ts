import { describe, expect, it } from 'vitest';
import { readSettings } from '../../src/config/settings.js';

describe('the settings', () => {
  it('have a default each', () => {
    expect(readSettings({})).toMatchObject({
      host: '127.0.0.1',
      port: 8000,
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
      LOG_LEVEL: 'Warn',
      METRICS_ENABLED: 'false',
      METRICS_TOKEN: 'a-token-of-16-chars',
      DOCS_ENABLED: '0',
      DRAIN_SECONDS: '15',
      MAX_REPLICATION_LAG_SECONDS: '30',
    };
    expect(readSettings(env)).toMatchObject({
      logLevel: 'warn',
      metricsEnabled: false,
      metricsToken: 'a-token-of-16-chars',
      docsEnabled: false,
      drainSeconds: 15,
      maxReplicationLagSeconds: 30,
    });
  });

  it.each([
    ['LOG_LEVEL', 'loud'],
    ['METRICS_ENABLED', 'perhaps'],
    ['METRICS_TOKEN', 'too short'],
    ['METRICS_TOKEN', 'fifteen-chars..'],
    ['DOCS_ENABLED', 'nein'],
    ['DRAIN_SECONDS', '-1'],
    ['DRAIN_SECONDS', '601'],
    ['MAX_REPLICATION_LAG_SECONDS', '0'],
    ['MAX_REPLICATION_LAG_SECONDS', '10s'],
  ])('refuse %s=%s by the name, without the value', (name, value) => {
    const read = () => readSettings({ [name]: value });
    expect(read).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIG_INVALID', message: expect.stringContaining(name) }),
    );
    if (value.length > 2) expect(read).not.toThrow(value);
  });
});
