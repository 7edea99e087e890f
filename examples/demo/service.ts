/** The demo's second half: the REST service on the same database, as a client sees it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';

const API = '/api/encryption';

/** Starts `fieldseal serve` on a free port; resolves with its address once it listens. */
async function startService(launcher: string, folder: string): Promise<{ child: ChildProcess; url: string }> {
  const env = { ...process.env, PORT: '0' };
  const child = spawn(process.execPath, [launcher, 'serve'], { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  for await (const chunk of child.stderr as AsyncIterable<Buffer>) {
    text += chunk;
    const url = /listens on (http:\S+),/.exec(text)?.[1];
    if (url) return { child, url };
  }
  throw new Error(`fieldseal serve did not start: ${text}`);
}

/** Issues a key, rotates and reads the audit log over HTTP, and prints what it sent and got. */
export async function showService(launcher: string, folder: string): Promise<void> {
  const { child, url } = await startService(launcher, folder);
  try {
    const jwt = (...args: string[]) =>
      spawnSync(process.execPath, [launcher, 'jwt', ...args], { cwd: folder, encoding: 'utf8' }).stdout.trim();
    const [token, admin] = [jwt('--user', '1'), jwt('--user', '2', '--admin')];
    // biome-ignore lint/suspicious/noExplicitAny: a client knows the contract, docs/api.md
    const call = async (method: string, path: string, bearer: string, body?: object): Promise<any> => {
      const headers = { authorization: `Bearer ${bearer}`, ...(body && { 'content-type': 'application/json' }) };
      const response = await fetch(`${url}${API}${path}`, {
        method,
        headers,
        ...(body && { body: JSON.stringify(body) }),
      });
      if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`);
      return response.json();
    };

    console.log(`$ curl -X POST ${API}/keys -d '{"name": "Production API Key", …}'`);
    const { key, ...shown } = await call('POST', '/keys', token, {
      name: 'Production API Key',
      expires_in_days: 30,
      scopes: 'read:projects,write:sns',
    });
    console.log({ ...shown, key: `${key.slice(0, 12)}… (shown this once)` });

    console.log(`$ curl -X POST ${API}/rotate -d '{"notes": "Scheduled quarterly rotation"}'`);
    const { rotation_id: id } = await call('POST', '/rotate', admin, { notes: 'Scheduled quarterly rotation' });
    for (let shownPercent = -1; ; ) {
      const status = await call('GET', `/rotation-status/${id}`, admin);
      const percent = Math.floor(status.progress_percent / 25) * 25;
      if (percent > shownPercent)
        console.log(`rotation ${id}: ${status.rotation_status}, ${status.progress_percent} %`);
      shownPercent = Math.max(shownPercent, percent);
      if (status.rotation_status === 'completed') break;
      if (!['pending', 'in_progress'].includes(status.rotation_status)) throw new Error(JSON.stringify(status));
      await setTimeout(100);
    }

    console.log(`$ curl ${API}/audit-logs?limit=6`);
    const { logs } = await call('GET', '/audit-logs?limit=6', admin);
    console.table(
      logs.map((row: Record<string, unknown>) => ({
        timestamp: row['timestamp'],
        user: row['user_id'],
        action: row['action'],
        target: `${row['resource_type']} ${row['resource_id']}`,
        status: row['status'],
      })),
    );
  } finally {
    if (child.exitCode === null) {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    }
  }
}
