/**
 * What a field costs: nanoseconds of processor time to encrypt, decrypt and rotate one value, beside other ways to do
 * it. All take turns, five rounds of them, so that whatever slows the machine slows each; medians are quoted, and
 * ratios are to be believed sooner than numbers. `npm run bench`; `npm run bench -- 100 1024` for some sizes only.
 */
import { cpus } from 'node:os';
import fernet from 'fernet';
import { EncryptionService, Fernet, keyringFromEnv, MultiFernet } from 'fieldseal';
import { type Contestant, each, OwnProcess, VERBS, type Verb } from './contestant.ts';
import { NodeCryptoFernet } from './node-crypto-fernet.ts';
import { openssl, pyca } from './other-process.ts';

const SIZES = [16, 100, 1024, 64 * 1024];
const ROUNDS = 5;
const TURN_MS = 150;
const TEXT = 'A field of one hundred characters: +49 170 1234567, Ada Lovelace, 12 St James Square, London SW1 4JH';
const NPM = 'npm fernet 0.4';
const SINGLE = 'Fernet';
const BATCH = 'EncryptionService, batch';

/** The times of all: `${verb} ${bytes}` → name → nanoseconds, null for what was not measured. */
type Times = Map<string, Map<string, number | null>>;

async function contestants(key: string): Promise<Contestant[]> {
  const secret = new fernet.Secret(key);
  const plain = new NodeCryptoFernet(key);
  const ours = new Fernet(key);
  const multi = new MultiFernet([ours]);
  const service = new EncryptionService(keyringFromEnv({ ENCRYPTION_KEY: key }));
  const own = [
    new OwnProcess(NPM, {
      encrypt: each((text) => new fernet.Token({ secret }).encode(text)),
      // No TTL, as with the others.
      decrypt: each((token) => new fernet.Token({ secret, token, ttl: 0 }).decode()),
    }),
    new OwnProcess('node:crypto', {
      encrypt: each((text) => plain.encrypt(text)),
      decrypt: each((token) => plain.decrypt(token)),
      rotate: each((token) => plain.encrypt(plain.decrypt(token))),
    }),
    new OwnProcess(SINGLE, {
      encrypt: each((text) => ours.encrypt(text)),
      decrypt: each((token) => ours.decrypt(token)),
      rotate: each((token) => multi.rotate(token)),
    }),
    new OwnProcess('EncryptionService', {
      encrypt: each((text) => service.encryptField(text)),
      decrypt: each((token) => service.decryptField(token)),
    }),
    new OwnProcess(BATCH, {
      encrypt: (texts) => service.encryptFields(texts) as string[],
      decrypt: (tokens) => service.decryptFields(tokens) as string[],
      rotate: (tokens) => service.rotateFields(tokens) as string[],
    }),
  ];
  return [...own, ...[await pyca(key), await openssl(key)].filter((other) => other !== null)];
}

async function assertInteroperable(all: readonly Contestant[]): Promise<void> {
  for (const writer of all) {
    const token = await writer.seal(TEXT);
    for (const reader of all) {
      if ((await reader.open(token)) !== TEXT) {
        throw new Error(`${reader.name} does not read the token of ${writer.name}`);
      }
    }
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

async function measureAll(all: readonly Contestant[], verb: Verb, bytes: number): Promise<Map<string, number | null>> {
  const turns = new Map<Contestant, { readonly values: number; readonly times: number[] }>();
  for (const one of all) {
    // Once to warm up, once to see how many values make a turn.
    await one.measure(verb, bytes, bytes > 1024 ? 16 : 300);
    const nanoseconds = await one.measure(verb, bytes, bytes > 1024 ? 16 : 300);
    if (nanoseconds === null) continue;
    turns.set(one, { values: Math.max(1, Math.ceil((TURN_MS * 1e6) / nanoseconds)), times: [] });
  }
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [one, { values, times }] of turns) {
      const nanoseconds = (await one.measure(verb, bytes, values)) as number;
      // The first round is still warming up.
      if (round > 0) times.push(nanoseconds);
    }
  }
  return new Map(
    all.map((one) => {
      const times = turns.get(one)?.times;
      return [one.name, times ? median(times) : null];
    }),
  );
}

function print(all: readonly Contestant[], bytes: number, times: Times): void {
  console.log(`\n${`${bytes} bytes`.padEnd(28)}${VERBS.map((verb) => verb.padStart(21)).join('')}`);
  for (const { name } of all) {
    const cells = VERBS.map((verb) => {
      const row = times.get(`${verb} ${bytes}`);
      const own = row?.get(name) ?? null;
      if (own === null) return '–'.padStart(21);
      const npm = row?.get(NPM) ?? null;
      const factor = npm === null ? '' : `${(npm / own).toFixed(1)}×`;
      return `${Math.round(own).toLocaleString('en')} ns${factor.padStart(8)}`.padStart(21);
    });
    console.log(`${name.padEnd(28)}${cells.join('')}`);
  }
}

/** A ratio that has to hold: how many times as long `slower` takes as `faster`, and at least how many it has to be. */
interface Target {
  readonly verb: Verb;
  readonly bytes: number;
  readonly slower: string;
  readonly faster: string;
  readonly least: number;
}

const PYCA = 'pyca/cryptography';
const C = 'OpenSSL';
const TARGETS: readonly Target[] = [
  { verb: 'encrypt', bytes: 100, slower: NPM, faster: SINGLE, least: 30 },
  { verb: 'decrypt', bytes: 100, slower: NPM, faster: SINGLE, least: 22 },
  { verb: 'encrypt', bytes: 100, slower: PYCA, faster: SINGLE, least: 4.5 },
  { verb: 'decrypt', bytes: 100, slower: PYCA, faster: SINGLE, least: 4.5 },
  { verb: 'encrypt', bytes: 100, slower: PYCA, faster: BATCH, least: 9 },
  { verb: 'decrypt', bytes: 100, slower: PYCA, faster: BATCH, least: 11 },
  { verb: 'rotate', bytes: 100, slower: C, faster: BATCH, least: 1 / 2 },
  { verb: 'encrypt', bytes: 65_536, slower: C, faster: SINGLE, least: 1 / 1.3 },
  { verb: 'decrypt', bytes: 65_536, slower: C, faster: SINGLE, least: 1 / 1.3 },
];

/** Prints every target that could be measured. @returns whether all of those hold */
function judge(all: readonly Contestant[], times: Times): boolean {
  let holds = true;
  console.log('\nTargets, as ratios within this run:');
  for (const { verb, bytes, slower, faster, least } of TARGETS) {
    const time = (start: string) => {
      const one = all.find(({ name }) => name === start) ?? all.find(({ name }) => name.startsWith(start));
      return (one && times.get(`${verb} ${bytes}`)?.get(one.name)) ?? null;
    };
    const [slow, fast] = [time(slower), time(faster)];
    if (slow === null || fast === null) continue;
    const ratio = slow / fast;
    holds &&= ratio >= least;
    const line = `${verb} ${bytes} bytes: ${slower} ÷ ${faster} = ${ratio.toFixed(2)}, at least ${least.toFixed(2)}`;
    console.log(`${ratio >= least ? 'PASS' : 'FAIL'}  ${line}`);
  }
  return holds;
}

const asked = process.argv
  .slice(2)
  .map(Number)
  .filter((bytes) => bytes > 0);
const sizes = asked.length > 0 ? asked : SIZES;
const all = await contestants(Fernet.generateKey());
try {
  await assertInteroperable(all);
  console.log(`Node ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} processors`);
  console.log(`Processor time a value; median of ${ROUNDS} interleaved rounds; × = times faster than npm fernet.`);
  const times: Times = new Map();
  for (const bytes of sizes) {
    for (const verb of VERBS) times.set(`${verb} ${bytes}`, await measureAll(all, verb, bytes));
    print(all, bytes, times);
  }
  process.exitCode = judge(all, times) ? 0 : 1;
} finally {
  for (const one of all) one.close?.();
}
