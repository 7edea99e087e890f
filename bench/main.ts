/**
 * Nanoseconds to encrypt and to decrypt a field of 100 characters, beside npm `fernet` and plain node:crypto. All run in
 * one process and take turns, five rounds of them, so that whatever slows the machine slows each; medians are quoted.
 */
import { cpus } from 'node:os';
import fernet from 'fernet';
import { EncryptionService, Fernet, keyringFromEnv } from 'fieldseal';
import { NodeCryptoFernet } from './node-crypto-fernet.ts';

interface Contestant {
  readonly name: string;
  encrypt(text: string): string;
  decrypt(token: string): string;
}
type Direction = 'encrypt' | 'decrypt';

const TEXT = 'A field of one hundred characters: +49 170 1234567, Ada Lovelace, 12 St James Square, London SW1 4JH';
const BASELINE = 'npm fernet 0.4';
const OURS = ['Fernet', 'EncryptionService'];
const TIMES_FASTER = 10;
const ROUNDS = 5;
const TURN_MS = 400;
/** Different tokens in turn, so that no one token stays in a cache. */
const TOKENS = 64;

function contestants(key: string): Contestant[] {
  const secret = new fernet.Secret(key);
  const ours = new Fernet(key);
  const service = new EncryptionService(keyringFromEnv({ ENCRYPTION_KEY: key }));
  const plain = new NodeCryptoFernet(key);
  return [
    {
      name: BASELINE,
      encrypt: (text) => new fernet.Token({ secret }).encode(text),
      // No TTL, as with the others.
      decrypt: (token) => new fernet.Token({ secret, token, ttl: 0 }).decode(),
    },
    { name: 'node:crypto', encrypt: (text) => plain.encrypt(text), decrypt: (token) => plain.decrypt(token) },
    { name: 'Fernet', encrypt: (text) => ours.encrypt(text), decrypt: (token) => ours.decrypt(token) },
    {
      name: 'EncryptionService',
      encrypt: (text) => service.encryptField(text),
      decrypt: (token) => service.decryptField(token),
    },
  ];
}

function assertInteroperable(all: readonly Contestant[]): void {
  for (const writer of all) {
    const token = writer.encrypt(TEXT);
    for (const reader of all) {
      if (reader.decrypt(token) !== TEXT) throw new Error(`${reader.name} does not read the token of ${writer.name}`);
    }
  }
}

/** Calls `work` for about `turnMs`, and returns the nanoseconds that one call took. */
function nanosecondsPerCall(work: (index: number) => string, turnMs: number): number {
  let calls = 0;
  let characters = 0;
  const start = performance.now();
  let elapsedMs = 0;
  while (elapsedMs < turnMs) {
    for (let i = 0; i < TOKENS; i++) characters += work(i).length;
    calls += TOKENS;
    elapsedMs = performance.now() - start;
  }
  if (characters === 0) throw new Error('nothing was made');
  return (elapsedMs * 1e6) / calls;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

/** Name → the median of its rounds. */
function measure(all: readonly Contestant[], direction: Direction): Map<string, number> {
  const tokens = Array.from({ length: TOKENS }, (_, i) => (all[i % all.length] as Contestant).encrypt(TEXT));
  const works = all.map((one) => ({
    name: one.name,
    work: direction === 'encrypt' ? () => one.encrypt(TEXT) : (i: number) => one.decrypt(tokens[i] as string),
  }));
  for (const { work } of works) nanosecondsPerCall(work, TURN_MS / 2);
  const rounds = Array.from({ length: ROUNDS }, () => works.map(({ work }) => nanosecondsPerCall(work, TURN_MS)));
  return new Map(works.map(({ name }, i) => [name, median(rounds.map((round) => round[i] as number))]));
}

const all = contestants(Fernet.generateKey());
assertInteroperable(all);
const encrypting = measure(all, 'encrypt');
const decrypting = measure(all, 'decrypt');

const ratio = (times: Map<string, number>, name: string) =>
  (times.get(BASELINE) as number) / (times.get(name) as number);
console.log(`Node ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'}`);
console.log(
  `A field of ${TEXT.length} characters; median of ${ROUNDS} interleaved rounds; × = times faster than npm.\n`,
);
console.log(`${''.padEnd(18)}${'encrypt'.padStart(20)}${'decrypt'.padStart(22)}`);
for (const { name } of all) {
  const cells = [encrypting, decrypting].map((times) => {
    const nanoseconds = Math.round(times.get(name) as number).toLocaleString('en');
    return `${nanoseconds.padStart(9)} ns ${ratio(times, name).toFixed(1).padStart(6)}×`;
  });
  console.log(`${name.padEnd(18)}${cells.map((cell) => cell.padStart(21)).join(' ')}`);
}
const pass = OURS.every((name) => [encrypting, decrypting].every((times) => ratio(times, name) >= TIMES_FASTER));
console.log(
  `\n${pass ? 'PASS' : 'FAIL'}: ${OURS.join(' and ')} are ${pass ? '' : 'not '}at least ${TIMES_FASTER} times faster than npm fernet both ways.`,
);
process.exitCode = pass ? 0 : 1;
