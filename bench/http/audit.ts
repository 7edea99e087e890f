/** Audit rows per second with the sealer running beside them, against plain inserts in the same run. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { readAuditSigner } from '../../packages/server/dist/config/audit-signer.js';
import { parseDatabaseUrl } from '../../packages/server/dist/store/database-url.js';
import { openStore } from '../../packages/server/dist/store/open-store.js';
import type { Store } from '../../packages/server/dist/store/store.js';
import { generateAuditKey } from '../../packages/server/dist/usecases/audit-keys.js';
import { keepSealing, sealAudit } from '../../packages/server/dist/usecases/seal-audit.js';
import startPostgres from '../../packages/server/test/postgres-global-setup.ts';

/** Connections that write at the same time, as requests of a service do. */
const WRITERS = 8;
/** Rounds of each kind, by turns; the median counts. */
const ROUNDS = 5;

/** One database's result, in rows per second. */
export interface AuditRate {
  readonly database: 'SQLite' | 'PostgreSQL';
  readonly plain: number;
  /** With a pass each second, as `fieldseal serve` does it; the round ends when its last row is sealed. */
  readonly sealed: number;
  /** `sealed / plain`. */
  readonly ratio: number;
}

const signer = readAuditSigner({ AUDIT_SIGNING_KEY: generateAuditKey('bench').privateKey });

async function insertFor(store: Store, seconds: number): Promise<number> {
  const end = performance.now() + seconds * 1000;
  let rows = 0;
  const write = async () => {
    for (; performance.now() < end; rows++) {
      await store.audit.insert({
        action: 'api_key_created',
        resourceType: 'api_key',
        resourceId: String(rows),
        status: 'success',
        userId: '42',
        ipAddress: '192.0.2.7',
        requestId: '0123456789abcdef01234567',
        userAgent: 'bench/1.0',
        details: '{"name":"Production API key","scopes":["read:projects"]}',
      });
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, write));
  return rows;
}

async function perSecond(work: () => Promise<number>): Promise<number> {
  const start = performance.now();
  const rows = await work();
  return rows / ((performance.now() - start) / 1000);
}

const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

async function measure(database: AuditRate['database'], store: Store, seconds: number): Promise<AuditRate> {
  const plain: number[] = [];
  const sealed: number[] = [];
  await insertFor(store, 1);
  for (let round = 0; round < ROUNDS; round++) {
    plain.push(await perSecond(() => insertFor(store, seconds)));
    while ((await sealAudit(store, signer)) > 0);
    sealed.push(
      await perSecond(async () => {
        const stop = new AbortController();
        const sealing = keepSealing(store, signer, stop.signal, ({ message }) => {
          throw new Error(message);
        });
        const rows = await insertFor(store, seconds);
        stop.abort();
        await sealing;
        while ((await sealAudit(store, signer)) > 0);
        return rows;
      }),
    );
  }
  const rates = { plain: median(plain), sealed: median(sealed) };
  return { database, ...rates, ratio: rates.sealed / rates.plain };
}

/** Measures on a SQLite file and on the embedded PostgreSQL; about `20 × seconds` in all. */
export async function measureAudit(seconds = 3): Promise<AuditRate[]> {
  const folder = await mkdtemp(join(tmpdir(), 'fieldseal-bench-'));
  let url = '';
  const stopPostgres = await startPostgres({
    provide: (_name: string, given: string) => (url = given),
  } as unknown as TestProject);
  const rates: AuditRate[] = [];
  try {
    for (const [database, place] of [
      ['SQLite', `sqlite:${join(folder, 'audit.db')}`],
      ['PostgreSQL', url],
    ] as const) {
      const store = await openStore(parseDatabaseUrl(place), { schema: 'audit_bench', offEventLoop: true });
      try {
        rates.push(await measure(database, store, seconds));
      } finally {
        await store.close();
      }
    }
    return rates;
  } finally {
    await stopPostgres();
    await rm(folder, { recursive: true, force: true });
  }
}
