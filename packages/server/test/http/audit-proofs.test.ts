import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { generateAuditKey } from '../../src/usecases/audit-keys.js';
import { freshUser, onPostgres, onSqlite, type RunningService, withService } from './with-service.ts';

const VERIFIER = fileURLToPath(new URL('../../../../docs/verify-audit.mjs', import.meta.url));
const LOGS = '/api/encryption/audit-logs';

/** Runs the verifier that knows nothing of this project. */
async function verifier(folder: string, ...args: string[]): Promise<{ exitCode: number; output: string }> {
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [VERIFIER, ...args], { cwd: folder });
    return { exitCode: 0, output: stdout };
  } catch (error) {
    const { code, stderr } = error as { code: number; stderr: string };
    return { exitCode: code, output: stderr };
  }
}

/** Waits until a row's proof is there: sealing comes about a second behind. */
async function proofOf(service: RunningService, id: number, token: string) {
  for (let tries = 0; ; tries++) {
    const answer = await service.request('GET', `${LOGS}/${id}/inclusion-proof`, { token });
    if (answer.status === 200 || tries > 300) return answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function checkpointOf(service: RunningService, token: string) {
  const response = await fetch(`${service.url}${LOGS}/checkpoint`, { headers: { authorization: `Bearer ${token}` } });
  return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
}

describe.each([
  ['SQLite', onSqlite],
  ['PostgreSQL', onPostgres],
])('the proofs of the audit log on %s', (_name, place) => {
  test('are made by a running service, hold for an independent verifier, and break when a row is changed', async () => {
    const { privateKey, publicKey } = generateAuditKey('fieldseal');
    const serveEnv = { AUDIT_SIGNING_KEY: privateKey };
    await withService(place, { serveEnv }, async (service) => {
      const { project } = service;
      project.keepSecret(privateKey);
      const [ada, brook] = [freshUser(), freshUser()];
      const [token, other, admin] = [
        await service.token(ada),
        await service.token(brook),
        await service.token('admin', '--admin'),
      ];
      const body = { name: 'a key' };
      await service.request('POST', '/api/encryption/keys', { token, body });
      const { body: listed } = await service.request('GET', LOGS, { token });
      const { id } = listed.logs[0];

      const proof = await proofOf(service, id, token);
      expect(proof.status).toBe(200);
      // An admin who reads somebody's row this way leaves one as well.
      await proofOf(service, id, admin);
      const views = await service.request('GET', `${LOGS}?action=audit_viewed&user_id=admin`, { token: admin });
      expect(views.body.total).toBe(1);
      expect(proof.body).toMatchObject({
        audit_id: id,
        row: { id: String(id), user_id: ada, action: 'api_key_created' },
      });
      expect((await proofOf(service, id, admin)).body.leaf_hash).toBe(proof.body.leaf_hash);
      const older = await checkpointOf(service, token);
      expect(older).toMatchObject({ status: 200, type: 'text/plain; charset=utf-8' });
      expect(older.text).toMatch(/^fieldseal\n\d+\n\S{44}\n\n— fieldseal \S+\n$/);

      // Another's row, one that is not there, and a caller without the scope.
      const refused = [
        await service.request('GET', `${LOGS}/${id}/inclusion-proof`, { token: other }),
        await service.request('GET', `${LOGS}/999999/inclusion-proof`, { token: other }),
      ].map(({ status, body: { code, detail } }) => ({ status, code, detail }));
      expect(refused[0]).toMatchObject({ status: 404, code: 'ERR_NOT_FOUND' });
      expect(refused[1]).toEqual(refused[0]);
      const narrow = await service.token(ada, '--scopes', 'keys:read');
      for (const path of ['checkpoint', `${id}/inclusion-proof`, 'consistency-proof?from=1&to=1']) {
        expect((await service.request('GET', `${LOGS}/${path}`, { token: narrow })).status).toBe(403);
        expect((await service.request('GET', `${LOGS}/${path}`)).status).toBe(401);
      }

      // The refusals above are rows as well: the tree goes on growing.
      const { body: newest } = await service.request('GET', LOGS, { token: admin });
      const last = await proofOf(service, newest.logs[0].id, admin);
      const newer = await checkpointOf(service, admin);
      const [from, to] = [older.text, newer.text].map((note) => Number(note.split('\n')[1]));
      const path = `${LOGS}/consistency-proof?from=${from}&to=${to}`;
      const consistency = await service.request('GET', path, { token });
      expect(consistency).toMatchObject({ status: 200, body: { from, to } });
      for (const query of ['from=2&to=1', `from=1&to=${Number(to) + 1000}`, 'from=0&to=1', 'from=1', 'from=1&to=1&x=1'])
        expect((await service.request('GET', `${LOGS}/consistency-proof?${query}`, { token })).status).toBe(400);

      await project.write('older', older.text);
      await project.write('newer', newer.text);
      const lines = [proof.body, last.body, consistency.body].map((line) => JSON.stringify(line));
      await project.write('proofs', `${lines.join('\n')}\n`);
      const files = ['--key', publicKey, '--checkpoint', 'newer', '--older', 'older'];
      expect(await verifier(project.folder, ...files, 'proofs')).toEqual({
        exitCode: 0,
        output: `${JSON.stringify({ leaves: 0, pruned: 0, inclusionProofs: 2, consistencyProofs: 1 })}\n`,
      });
      await project.write('forged', `${lines.join('\n').replace(ada, brook)}\n`);
      expect(await verifier(project.folder, ...files, 'forged')).toEqual({
        exitCode: 1,
        output: `row ${id} is not as it was sealed\nrow ${id} is not proved to be in the log\n`,
      });

      expect(await service.end('SIGTERM')).toBe(0);
      const env = { ...service.env, AUDIT_SIGNING_KEY: privateKey };
      expect((await project.fieldseal('audit', 'seal', { env })).exitCode).toBe(0);
      const leaves = await project.fieldseal('audit', 'leaves', { env });
      await project.write('leaves', leaves.stdout);
      const whole = await verifier(project.folder, ...files, 'leaves');
      expect(whole.exitCode).toBe(0);
      expect(JSON.parse(whole.output).leaves).toBe(leaves.stdout.split('\n').length - 1);
      await project.write('shorter', leaves.stdout.split('\n').slice(1).join('\n'));
      expect((await verifier(project.folder, ...files, 'shorter')).output).toContain('leaf 0 is missing');

      const verified = await project.fieldseal(
        'audit',
        'verify',
        '--checkpoint',
        'older',
        '--public-key',
        publicKey,
        '--json',
        { env: service.env },
      );
      expect(verified).toMatchObject({
        exitCode: 0,
        last: { type: 'result', isSigned: true, findingCount: 0 },
      });
    });
  });
});
