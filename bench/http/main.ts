/**
 * What verifying an API key over HTTP costs beside a bare Fastify route that answers the same JSON, and what sealing costs
 * those who write audit rows: `npm run bench:http`.
 * Each server is a process of its own, and they take turns, so that whatever slows the machine slows each. A ratio is the
 * median of those of each turn, and to be believed sooner than the rates: the load comes from the same machine.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { takeEnvironmentKeys } from 'fieldseal';
import type { TestProject } from 'vitest/node';
import { parseDatabaseUrl } from '../../packages/server/dist/store/database-url.js';
import { openStore } from '../../packages/server/dist/store/open-store.js';
import { createApiKey } from '../../packages/server/dist/usecases/create-api-key.js';
import { jwtSettings, signJwt } from '../../packages/server/dist/usecases/principals.js';
import { openService } from '../../packages/server/dist/usecases/service.js';
import startPostgres from '../../packages/server/test/postgres-global-setup.ts';
import { describeMachine } from '../machine.ts';
import { writeSection } from '../section.ts';
import { measureAudit } from './audit.ts';
import { load, type Measured, type Server, start } from './load.ts';

const HELP = `npm run bench:http -- [options]
  --seconds N    of each turn of each server or writer (5)
  --turns N      turns of each (5)
  --keys N       API keys that are verified in turn (100)
  --write        renews the section of docs/benchmarks.md`;

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '5' },
    turns: { type: 'string', default: '5' },
    keys: { type: 'string', default: '100' },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const [SECONDS, TURNS, KEYS] = [options.seconds, options.turns, options.keys].map(Number) as [number, number, number];
const WARM_UP_SECONDS = 1;

const WAYS = {
  bare: 'a bare Fastify route',
  sqlite: 'SQLite, keys in memory',
  sqliteUncached: 'SQLite, every key asked of the database',
  postgres: 'PostgreSQL, keys in memory',
  postgresUncached: 'PostgreSQL, every key asked of the database',
} as const;
type Way = keyof typeof WAYS;
/** What the ratios must be at least. */
const TARGETS: Partial<Record<Way, number>> = { sqlite: 0.6, postgres: 0.6, postgresUncached: 0.25 };

/** Rows per second with sealing, of those without. */
const AUDIT_TARGET = 0.8;

function newKey(): string {
  return `${randomBytes(32).toString('base64url')}=`;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] as number) + (sorted[sorted.length >> 1] as number)) / 2;
}

/** A database with API keys in it. */
interface Prepared {
  readonly url: string;
  readonly key: string;
  readonly apiKeys: readonly string[];
}

async function prepare(url: string): Promise<Prepared> {
  const key = newKey();
  const store = await openStore(parseDatabaseUrl(url), { schema: 'fieldseal' });
  const { service } = await openService(store, takeEnvironmentKeys({ ENCRYPTION_KEY: key }));
  const apiKeys: string[] = [];
  for (let i = 0; i < KEYS; i++) {
    const input = { name: `key ${i}`, scopes: 'read:projects,write:sns' };
    apiKeys.push((await createApiKey(service, input, String(i))).key);
  }
  await store.close();
  return { url, key, apiKeys };
}

async function benchVerify(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'fieldseal-bench-'));
  let postgresUrl = '';
  const stopPostgres = await startPostgres({
    provide: (_name: string, given: string) => (postgresUrl = given),
  } as unknown as TestProject);
  const servers = new Map<Way, Server>();
  try {
    const jwtSecret = newKey();
    const caller = { subject: 'gateway', isAdmin: false, scopes: [], ttlSeconds: 86_400 };
    const token = await signJwt(
      jwtSettings({ secret: jwtSecret, jwksUrl: undefined, issuer: undefined, audience: undefined }),
      caller,
      Math.floor(Date.now() / 1000),
    );
    const databases = {
      sqlite: await prepare(`sqlite:${join(folder, 'service.db')}`),
      postgres: await prepare(postgresUrl),
    };
    const keysOf = new Map<Way, readonly string[]>([['bare', databases.sqlite.apiKeys]]);
    const bareAnswer = {
      valid: true,
      code: 'VALID',
      key_id: 1,
      user_id: 1,
      scopes: ['read:projects', 'write:sns'],
      expires_at: '2026-12-31T00:00:00Z',
    };
    servers.set('bare', await start('bare.ts', bareAnswer));
    for (const name of ['sqlite', 'postgres'] as const) {
      const { url, key, apiKeys } = databases[name];
      for (const [way, cachedApiKeys] of [
        [name, null],
        [`${name}Uncached`, 0],
      ] as const) {
        servers.set(way, await start('served.ts', { url, schema: 'fieldseal', key, jwtSecret, cachedApiKeys, folder }));
        keysOf.set(way, apiKeys);
      }
    }
    const measured = new Map<Way, Measured[]>();
    for (let turn = 0; turn < TURNS; turn++) {
      for (const [way, server] of servers) {
        const keys = keysOf.get(way) ?? [];
        // Before each turn, since keys are asked for again after ten seconds, and the other turns take longer.
        await load(server, token, keys, WARM_UP_SECONDS);
        measured.set(way, [...(measured.get(way) ?? []), await load(server, token, keys, SECONDS)]);
      }
    }
    return table(measured);
  } finally {
    for (const server of servers.values()) await server.close();
    await stopPostgres();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Prints what was measured, and returns it as Markdown. */
function table(measured: ReadonlyMap<Way, readonly Measured[]>): string {
  const lines = [
    '| `POST /keys/verify` | requests/s | of the bare route | at least | p99 in ms |',
    '| --- | ---: | ---: | ---: | ---: |',
  ];
  const bare = measured.get('bare') ?? [];
  for (const [way, turns] of measured) {
    const rate = Math.round(median(turns.map(({ perSecond }) => perSecond))).toLocaleString('en-US');
    const ratio = median(turns.map(({ perSecond }, at) => perSecond / (bare[at] as Measured).perSecond)).toFixed(2);
    const p99 = median(turns.map((turn) => turn.p99)).toFixed(0);
    const target = TARGETS[way]?.toFixed(2) ?? '';
    console.log(
      `${WAYS[way].padEnd(46)}${rate.padStart(10)}/s${ratio.padStart(8)} ${target.padStart(6)}   p99 ${p99} ms`,
    );
    lines.push(`| ${WAYS[way]} | ${rate} | ${ratio} | ${target} | ${p99} |`);
  }
  return lines.join('\n');
}

/** Audit rows with and without the sealer beside them; prints what was measured, and returns it as Markdown. */
async function benchAudit(): Promise<string> {
  const lines = [
    '| audit rows | plain rows/s | with sealing | of plain | at least |',
    '| --- | ---: | ---: | ---: | ---: |',
  ];
  for (const { database, plain, sealed, ratio } of await measureAudit(SECONDS)) {
    const [before, beside] = [plain, sealed].map((rate) => Math.round(rate).toLocaleString('en-US'));
    console.log(`${database}: ${before} audit rows/s, ${beside}/s with sealing: ${ratio.toFixed(2)} of it`);
    lines.push(`| ${database} | ${before} | ${beside} | ${ratio.toFixed(2)} | ${AUDIT_TARGET.toFixed(2)} |`);
  }
  return lines.join('\n');
}

function section(tables: readonly string[]): string {
  const date = new Date().toISOString().slice(0, 10);
  return `## The service

${KEYS.toLocaleString('en-US')} API keys verified in turn for a caller with a JWT, over 32 connections of autocannon on the same machine, beside a bare Fastify
route that answers the same JSON; each server a process of its own, medians of ${TURNS} turns of ${SECONDS} s. \`npm run bench:http -- --write\`
wrote this on ${date}: ${describeMachine()}, Node ${process.versions.node}. What it means is in [verifying-keys.md](verifying-keys.md).
Below it, eight writers insert audit rows, by turns alone and with the sealer of \`fieldseal serve\` beside them, until the last row is sealed.

${tables.join('\n\n')}
`;
}

if (options.help) console.log(HELP);
else {
  console.log(`${cpus()[0]?.model} × ${cpus().length}, Node ${process.version}; ${TURNS} turns of ${SECONDS} s`);
  // Each part of the service that is measured gives a table of its own.
  const tables = [await benchVerify(), await benchAudit()];
  if (options.write) writeSection('http', section(tables));
}
