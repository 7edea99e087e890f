/** The service killed while clients make, change and revoke API keys: keys and audit log stay one. */
import { setTimeout } from 'node:timers/promises';
import Database from 'better-sqlite3';
import pg from 'pg';
import { expect, it } from 'vitest';
import { type RunningService, withService } from '../test/http/with-service.ts';
import { PLACES } from './people.ts';
import { randomOf, SEED } from './seed.ts';

const API = '/api/encryption';
const ROUNDS = 6;
const CLIENTS = 4;

/** What the service said that it did. */
interface Answered {
  readonly created: Map<number, string>;
  readonly revoked: Set<number>;
  readonly disabled: Set<number>;
  /** Requests that got no answer: each may have been done, or not. */
  lost: number;
}

/** One client: makes a key, and then revokes it, or takes it out of use, or leaves it; until it is cut off. */
async function client(
  service: RunningService,
  token: string,
  canDisable: boolean,
  answered: Answered,
  random: () => number,
) {
  for (;;) {
    const { status, body } = await service.request('POST', `${API}/keys`, {
      token,
      body: { name: 'k', scopes: 'a:b' },
    });
    if (status !== 201) throw new Error(`a key was answered ${status} ${body?.code}`);
    answered.created.set(body.id, body.key);
    const choice = random();
    if (choice < 0.4) {
      const revoked = await service.request('DELETE', `${API}/keys/${body.id}`, { token, body: { reason: 'round' } });
      if (revoked.status === 200) answered.revoked.add(body.id);
    } else if (choice < 0.7 && canDisable) {
      const disabled = await service.request('POST', `${API}/keys/${body.id}/disable`, { token });
      if (disabled.status === 200) answered.disabled.add(body.id);
    }
  }
}

/** Rows of one statement; `OWN.` before a table's name stands for its schema. */
async function ask({ project, env }: RunningService, sql: string): Promise<Record<string, unknown>[]> {
  if (env['DATABASE_URL'] === 'sqlite:app.db') {
    const db = new Database(project.file);
    try {
      return db.prepare(sql.replaceAll('OWN.', '')).all() as Record<string, unknown>[];
    } finally {
      db.close();
    }
  }
  const connection = new pg.Client(env['DATABASE_URL']);
  await connection.connect();
  try {
    return (await connection.query(sql.replaceAll('OWN.', `${env['DATABASE_SCHEMA'] ?? 'fieldseal'}.`))).rows;
  } finally {
    await connection.end();
  }
}

/** Which keys have an audit row of that action, and how many each. */
async function audited(service: RunningService, action: string): Promise<number[]> {
  const rows = await ask(
    service,
    `SELECT resource_id FROM OWN.audit_logs WHERE action = '${action}' AND status = 'success'`,
  );
  return rows.map((row) => Number(row['resource_id'])).sort((a, b) => a - b);
}

async function idsOf(service: RunningService, condition: string): Promise<number[]> {
  const rows = await ask(service, `SELECT id FROM OWN.api_keys WHERE ${condition}`);
  return rows.map((row) => Number(row['id'])).sort((a, b) => a - b);
}

it.each(PLACES)(
  'a service on %s that is killed while it writes keeps API keys and audit log consistent',
  (place, on) => {
    const random = randomOf(`${place}, api keys`);
    return withService(on, {}, async (service) => {
      const token = await service.token('root', '--admin');
      const { body: document } = await service.request('GET', '/openapi.json');
      const canDisable = document.paths[`${API}/keys/{id}/disable`] !== undefined;
      const answered: Answered = { created: new Map(), revoked: new Set(), disabled: new Set(), lost: 0 };
      for (let round = 1; round <= ROUNDS; round++) {
        const before = answered.created.size;
        const clients = Array.from({ length: CLIENTS }, () =>
          client(service, token, canDisable, answered, random).catch((error: unknown) => {
            if (!(error instanceof TypeError)) throw error;
            answered.lost++;
          }),
        );
        while (answered.created.size < before + 5) await Promise.race([setTimeout(5), ...clients]);
        await setTimeout(random() * 400);
        await service.end('SIGKILL');
        await Promise.all(clients);
        await service.restart();
        console.log(
          `${place}, api keys, seed ${SEED}, round ${round}: ${answered.created.size} made, ${answered.revoked.size} revoked, ${answered.disabled.size} disabled, ${answered.lost} without an answer`,
        );

        // Each row has its audit row, once, and each audit row its row.
        const keys = await idsOf(service, 'true');
        expect(await audited(service, 'api_key_created')).toEqual(keys);
        const revoked = await idsOf(service, 'revoked_at IS NOT NULL');
        expect(await audited(service, 'api_key_revoked')).toEqual(revoked);
        const disabled = await idsOf(service, 'disabled_at IS NOT NULL');
        if (canDisable) expect(await audited(service, 'api_key_disabled')).toEqual(disabled);
        // What was answered is there.
        expect([...answered.created.keys()].filter((id) => !keys.includes(id))).toEqual([]);
        expect([...answered.revoked].filter((id) => !revoked.includes(id))).toEqual([]);
        expect([...answered.disabled].filter((id) => !disabled.includes(id))).toEqual([]);
      }
      // What was not answered is at most what was under way.
      const made = (await idsOf(service, 'true')).length;
      expect(made - answered.created.size).toBeLessThanOrEqual(answered.lost);
      // Keys do what their rows say.
      const [revoked, disabled] = [
        await idsOf(service, 'revoked_at IS NOT NULL'),
        await idsOf(service, 'disabled_at IS NOT NULL'),
      ];
      for (const [id, key] of [...answered.created].slice(-40)) {
        const { status } = await service.request('GET', `${API}/keys`, { token: key });
        expect([id, status]).toEqual([id, revoked.includes(id) || disabled.includes(id) ? 401 : 403]);
      }
      const { exitCode } = await service.project.fieldseal('verify', { env: service.env });
      expect(exitCode).toBe(0);
    });
  },
);
