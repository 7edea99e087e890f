import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import { expect, test, vi } from 'vitest';
import { withPostgresProject } from '../with-postgres-database.ts';
import { type Project, withProject } from '../with-project.ts';

test('rows are streamed to a file, at least once each, from where the stream stood', { timeout: 60_000 }, () =>
  withProject({ config: null }, async (project) => {
    await project.fieldseal('api-keys', 'create', '--user', '1', '--name', 'first');
    const to = join(project.folder, 'audit.ndjson');
    const actions = async () =>
      (await readFile(to, 'utf8'))
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).action);
    expect((await project.fieldseal('audit', 'stream', '--to', to, '--once')).exitCode).toBe(0);
    expect(await actions()).toEqual(['keyring_created', 'api_key_created', 'audit_stream_started']);
    const child = project.spawn('audit', 'stream', '--to', to);
    await project.fieldseal('api-keys', 'revoke', '1');
    await vi.waitFor(async () => expect(await actions()).toContain('api_key_revoked'), { timeout: 20_000 });
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect((await actions()).filter((action) => action === 'api_key_created')).toHaveLength(1);
    // Another name is another stream, that begins where it is told.
    const other = join(project.folder, 'other.ndjson');
    await project.fieldseal('audit', 'stream', '--to', other, '--name', 'other', '--behind', '3', '--once');
    expect(JSON.parse((await readFile(other, 'utf8')).split('\n')[0] as string).id).toBe(4);
    for (const flags of [[], ['--to', to, '--webhook', 'https://localhost/']])
      expect((await project.fieldseal('audit', 'stream', ...flags)).stderr).toContain('[ERR_USAGE]');
    const { stderr } = await project.fieldseal('audit', 'stream', '--webhook', 'https://localhost/');
    expect(stderr).toBe('fieldseal: AUDIT_WEBHOOK_SECRET must have at least 32 bytes. [ERR_CONFIG_INVALID]\n');
  }),
);

test('every command of an operator leaves a row that says so', { timeout: 60_000 }, () =>
  withProject(async (project) => {
    const { fieldseal } = project;
    const env = { AUTH_JWT_SECRET: project.keepSecret('s'.repeat(32)) };
    // No database, no row, no token.
    const absent = await fieldseal('jwt', '--user', '1', { env: { ...env, DATABASE_URL: 'sqlite:absent.db' } });
    expect([absent.exitCode, absent.stdout]).toEqual([2, '']);
    const away = { ...env, DATABASE_URL: 'sqlite:absent.db' };
    expect((await fieldseal('jwt', '--user', '1', '--unaudited', { env: away })).stdout).toContain('.');
    await fieldseal('encrypt');
    await fieldseal('jwt', '--user', '1', '--admin', '--ttl', '15m', { env });
    const identity = { env: { BACKUP_ENCRYPTION_ENABLED: 'false' } };
    await fieldseal('backup', 'create', 'one.backup', identity);
    await fieldseal('backup', 'verify', 'one.backup', identity);
    const found = await fieldseal('audit', 'search', '--name', 'email', { stdin: 'ada@example.com\n' });
    expect([found.exitCode, found.stdout]).toEqual([0, '']);
    const refused = await fieldseal('audit', 'protect', '--role', 'app');
    expect(refused.stderr).toContain('SQLite has no roles');
    const { stdout } = await fieldseal('audit', 'export', '--from', '2020-01-01T00:00:00Z', '--status', 'success');
    const rows = stdout
      .trimEnd()
      .split('\n')
      .reverse()
      .map((line) => JSON.parse(line));
    expect(rows.map(({ action }) => action)).toEqual([
      'keyring_created',
      'encrypt_started',
      'encrypt_completed',
      'jwt_issued',
      'backup_created',
      'backup_verified',
      'key_added',
      'audit_searched',
    ]);
    expect(rows.every(({ user_id, details }) => user_id === null && details.via === 'operator')).toBe(true);
    expect(rows[3]).toMatchObject({ resource_id: '1', details: { isAdmin: true, scopes: [], ttlSeconds: 900 } });
    expect(stdout).not.toContain('ada@');
    const csv = await fieldseal('audit', 'export', '--format', 'csv', '--action', 'audit_exported');
    expect(csv.stdout.split('\r\n')[1]).toMatch(/^\d+,20\S+Z,,audit_exported,audit_log,,success,,,,"/);
    for (const wrong of [
      ['--format', 'xml'],
      ['--status', 'maybe'],
      ['--until', 'tomorrow'],
    ])
      expect((await fieldseal('audit', 'export', ...wrong)).exitCode).toBe(2);
  }),
);

test(
  'on PostgreSQL the role of the service writes audit rows and can neither change nor delete them',
  {
    timeout: 60_000,
  },
  () =>
    withPostgresProject({}, async ({ url, client, fieldseal, connect, project }) => {
      await fieldseal('api-keys', 'create', '--user', '1', '--name', 'k');
      const role = new URL(url).pathname.slice(1).replace('test_', 'role_');
      await client.query(`CREATE ROLE ${role} LOGIN PASSWORD 'x'`);
      try {
        await client.query(`GRANT USAGE ON SCHEMA fieldseal TO ${role}`);
        await client.query(`GRANT ALL ON ALL TABLES IN SCHEMA fieldseal TO ${role}`);
        expect((await fieldseal('audit', 'protect', '--role', 'nobody_of_that_name')).stderr).toContain('[ERR_USAGE]');
        expect((await fieldseal('audit', 'protect', '--role', new URL(url).username)).stderr).toContain('superuser');
        const protect = () => fieldseal('audit', 'protect', '--role', role);
        // What a role has from elsewhere is not taken from it, and so nothing is promised.
        await client.query('GRANT UPDATE ON fieldseal.audit_logs TO PUBLIC');
        expect((await protect()).stderr).toContain('still has rights to audit_logs');
        await client.query('REVOKE UPDATE ON fieldseal.audit_logs FROM PUBLIC');
        const { exitCode, stdout } = await protect();
        expect([exitCode, stdout]).toEqual([0, expect.stringContaining('the owner of the tables can undo that')]);

        const limited = Object.assign(new URL(url), { username: role, password: 'x' }).href;
        const app = new pg.Client({ connectionString: limited });
        await app.connect();
        for (const statement of [
          "UPDATE fieldseal.audit_logs SET action = 'x'",
          'UPDATE fieldseal.audit_logs SET details = NULL WHERE id = 1',
          'DELETE FROM fieldseal.audit_logs',
          'TRUNCATE fieldseal.audit_logs',
          'INSERT INTO fieldseal.audit_prunes (up_to_id, "by") VALUES (99, $$x$$)',
          'ALTER TABLE fieldseal.audit_logs DISABLE TRIGGER ALL',
          'DROP TABLE fieldseal.audit_logs',
          'DELETE FROM fieldseal.audit_log_values',
        ]) {
          await expect(app.query(statement), statement).rejects.toThrow(/permission denied|must be owner/);
        }
        await app.end();
        const env = { DATABASE_URL: limited };
        expect((await project.fieldseal('api-keys', 'revoke', '1', { env })).exitCode).toBe(0);
        const audit = await project.fieldseal('audit', 'export', '--action', 'api_key_revoked', { env });
        expect(audit.stdout.trimEnd().split('\n')).toHaveLength(1);
        // The owner has its rights, and meets the triggers.
        const owner = await connect();
        await expect(owner.query('DELETE FROM fieldseal.audit_logs')).rejects.toThrow('audit rows are deleted by');

        await streamsToWebhook(project, url);
      } finally {
        await client.query(`DROP OWNED BY ${role}`);
        await client.query(`DROP ROLE ${role}`);
      }
    }),
);

/** A webhook that fails at first gets every row in the end, signed. */
async function streamsToWebhook(project: Project, url: string): Promise<void> {
  const secret = project.keepSecret('a secret of more than thirty-two bytes');
  const ids: number[] = [];
  let answered = 0;
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk;
    });
    request.on('end', () => {
      const [, time, mac] = /^t=(\d+),v1=(\w+)$/.exec(String(request.headers['fieldseal-signature'])) ?? [];
      const isSigned = mac === createHmac('sha256', secret).update(`${time}.${body}`).digest('hex');
      const isTaken = answered++ > 0 && isSigned;
      if (isTaken)
        ids.push(
          ...body
            .trimEnd()
            .split('\n')
            .map((line) => JSON.parse(line).id),
        );
      response.writeHead(isTaken ? 204 : 500).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const hook = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const env = { DATABASE_URL: url, AUDIT_WEBHOOK_SECRET: secret };
    const child = project.spawn('audit', 'stream', '--webhook', hook, { env });
    const newest = async () => {
      const { stdout } = await project.fieldseal('audit', 'export', '--action', 'api_key_created', { env });
      return JSON.parse(stdout.split('\n')[0] as string).id;
    };
    await vi.waitFor(() => expect(ids).toContain(1), { timeout: 20_000 });
    await project.fieldseal('api-keys', 'create', '--user', '1', '--name', 'later', { env });
    const last = await newest();
    await vi.waitFor(() => expect(ids).toContain(last), { timeout: 20_000 });
    expect([...new Set(ids)].filter((id) => id <= last)).toHaveLength(last);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}
