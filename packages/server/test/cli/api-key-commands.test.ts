import { Fernet, takeEnvironmentKeys } from 'fieldseal';
import { expect, it } from 'vitest';
import { type CliContext, runCli } from '../../src/cli/program.js';
import { openStore } from '../../src/store/open-store.js';
import { DEFAULT_SETTINGS } from '../../src/usecases/service.js';
import { withSqliteFile } from '../store/sqlite-file.js';
import { bareDependencies } from '../usecases/bare-dependencies.js';

const NEW_KEY = expect.stringMatching(/^pk_[0-9A-Za-z]{6}_[0-9A-Za-z]{32}$/);

/** The commands under `api-keys` in this process, over a store of the test's own. */
async function withCli(
  // biome-ignore lint/suspicious/noExplicitAny: tests compare results with what they expect
  work: (cli: (...argv: string[]) => Promise<{ exitCode: number; out: string; last: any }>) => Promise<void>,
): Promise<void> {
  await withSqliteFile(async (file) => {
    const target = { dialect: 'sqlite', file } as const;
    await (await openStore(target)).close();
    const keys = takeEnvironmentKeys({ ENCRYPTION_KEY: Fernet.generateKey() });
    await work(async (...argv) => {
      let out = '';
      const write = (text: string) => {
        out += text;
      };
      const context = {
        version: '1.2.3',
        terminal: { out: write, err: write, isInteractive: false },
        settings: () => ({ ...DEFAULT_SETTINGS, backupEncrypted: true }),
        dependencies: () => bareDependencies({ target, keys }),
      } as unknown as CliContext;
      const exitCode = await runCli(['api-keys', ...argv], context);
      return { exitCode, out, last: argv.includes('--json') ? JSON.parse(out) : null };
    });
  });
}

it('API keys are issued with limits, changed, disabled, rerolled and found from the command line', () =>
  withCli(async (cli) => {
    const limits = ['--allowed-ips', '10.0.0.0/8, ::1', '--rate-limit', '5', '--rate-window', '1m', '--quota', '9'];
    const create = ['create', '--user', '7', '--name', 'CI'];
    expect((await cli(...create, ...limits, '--metadata', '{"a":1}', '--json')).last).toMatchObject({
      ...{ type: 'result', id: 1, userId: '7', key: NEW_KEY, allowedIps: ['10.0.0.0/8', '::1'] },
      ...{ rateLimit: 5, rateWindowSeconds: 60, quota: 9, metadata: { a: 1 }, state: 'active', isActive: true },
    });
    expect((await cli('show', '1')).out).toMatch(
      /^id +user +name[\s\S]*^1 +7 +CI[\s\S]*^used from +10\.0\.0\.0\/8 ::1\nrate limit +5 in 60 s\nquota +9\nmetadata +\{"a":1\}\n$/m,
    );
    const off = ['--allowed-ips', 'none', '--rate-limit', 'none', '--quota', 'none', '--metadata', 'none'];
    expect((await cli('update', '1', '--name', 'renamed', ...off, '--json')).last).toMatchObject({
      ...{ name: 'renamed', allowedIps: null, rateLimit: null, rateWindowSeconds: null, quota: null, metadata: null },
    });

    expect((await cli('disable', '1')).out).toMatch(/^Key 1 \(pk_\w{6}\) is disabled\.\n$/);
    const listed = await cli('list', '--user', '7', '--state', 'disabled', '--expires-after', '2020-01-01T00:00:00Z');
    expect(listed.out).toMatch(/^1 +7 +renamed +pk_\w{6} +disabled /m);
    expect((await cli('show', '1', '--json')).last).toMatchObject({ state: 'disabled', isActive: false });
    const again = await cli('disable', '1', '--json');
    expect([again.exitCode, again.last.code]).toEqual([2, 'ERR_API_KEY_STATE']);
    expect((await cli('enable', '1', '--json')).last).toMatchObject({ disabledAt: null });

    expect((await cli('reroll', '1', '--grace', '1h', '--json')).last).toMatchObject({
      ...{ id: 2, rerolledFrom: 1, key: NEW_KEY, previousExpiresAt: expect.any(String) },
    });
    expect((await cli('show', '2')).out).toContain('in place of key 1\n');
    const { prefix } = (await cli('show', '2', '--json')).last;
    expect((await cli('list', '--prefix', prefix, '--json')).last.keys).toMatchObject([{ id: 2 }]);

    for (const [code, ...wrong] of [
      ['ERR_USAGE', 'update', '1'],
      ['ERR_USAGE', 'update', '1', '--metadata', '{'],
      ['ERR_USAGE', ...create, '--metadata', '[]'],
      ['ERR_USAGE', ...create, '--quota', 'none'],
      ['ERR_INPUT_INVALID', 'update', '1', '--rate-limit', '5'],
      ['ERR_INPUT_INVALID', 'list', '--expires-before', 'tomorrow'],
      ['ERR_USAGE', 'list', '--state', 'gone'],
      ['ERR_INPUT_INVALID', 'reroll', '2', '--grace', '31d'],
      ['ERR_USAGE', 'reroll', '2', '--grace', '0'],
    ]) {
      const { exitCode, last } = await cli(...(wrong as string[]), '--json');
      expect([wrong, exitCode, last.code]).toEqual([wrong, 2, code]);
    }
    expect((await cli('revoke', '2')).out).toMatch(/^Key 2 \(pk_\w{6}\) is revoked\.\n$/);
    const twice = await cli('revoke', '2', '--json');
    expect([twice.exitCode, twice.last.code]).toEqual([2, 'ERR_API_KEY_REVOKED']);

    const { last } = await cli(...create, '--scopes', 'no scope', '--json');
    expect(last.message).toBe('scopes has a form or characters that are not allowed.');
  }));
