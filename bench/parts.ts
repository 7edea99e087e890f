/** What single calls of the library cost: rows, batches of rows, lookups, masks and cached values; and a cold start. */
import { execFileSync } from 'node:child_process';
import {
  type AnyDeclaration,
  addPurposeKey,
  blindIndex,
  codecs,
  createKeyring,
  defineModel,
  encrypted,
  Keyring,
  type Model,
  Secret,
  Table,
} from 'fieldseal';
import { processorNanoseconds } from './contestant.ts';
import { median, type Rules, type Turn, takeTurns } from './turns.ts';

const LIST_ROWS = 50;
const text = codecs.string({ length: 100 });
const xaes = { scheme: 'xaes', boundTo: 'row' } as const;

const model: Model = defineModel({
  plain: { primaryKey: 'id', columns: { name: encrypted(text), address: encrypted(text), note: encrypted(text) } },
  bound: {
    primaryKey: 'id',
    columns: { name: encrypted(text, xaes), address: encrypted(text, xaes), note: encrypted(text, xaes) },
  },
  one: { primaryKey: 'id', columns: { name: encrypted(text) } },
  indexed: {
    primaryKey: 'id',
    rows: 1_000_000,
    columns: { name: encrypted(text, { distinct: 1_000_000, commonest: 1e-6 }) },
    indexes: { name_index: blindIndex('name', { normalise: ['trim', 'lower-case'], bits: 12 }) },
  },
});

/** @param count how many one call does */
function calling(name: string, count: number, call: () => unknown): Turn {
  return {
    name,
    async measure(times) {
      const start = processorNanoseconds();
      for (let i = 0; i < times; i += count) call();
      return (processorNanoseconds() - start) / (Math.ceil(times / count) * count);
    },
  };
}

/** The three columns of a table in one scheme, row by row and in lists. */
function rows(scheme: string, table: Table<AnyDeclaration, string>): Turn[] {
  const value = 'x'.repeat(100);
  const list = Array.from({ length: LIST_ROWS }, (_, id) => ({ id, name: value, address: value, note: value }));
  const row = { id: 7, name: value, address: value, note: value };
  const [stored, storedList] = [table.encryptRow(row), table.encryptRows(list)];
  return [
    calling(`${scheme}: encryptRow, 3 columns`, 1, () => table.encryptRow(row)),
    calling(`${scheme}: decryptRow, 3 columns`, 1, () => table.decryptRow(stored)),
    calling(`${scheme}: a row of encryptRows of ${LIST_ROWS}`, LIST_ROWS, () => table.encryptRows(list)),
    calling(`${scheme}: a row of decryptRows of ${LIST_ROWS}`, LIST_ROWS, () => table.decryptRows(storedList)),
  ];
}

const COLD_START = `
  const start = performance.now();
  const { EncryptionService } = await import(process.argv[1]);
  const imported = performance.now();
  const service = EncryptionService.fromEnv({ ENCRYPTION_KEY: process.argv[2] });
  const token = service.encryptField('x'.repeat(100));
  const first = performance.now();
  service.decryptFields(Array(1000).fill(token));
  console.log(JSON.stringify([imported - start, first - imported, performance.now() - first]));`;

/** Each in a process of its own; nanoseconds on the clock. */
function coldStarts(key: string, rounds: number): Record<string, number> {
  const entry = import.meta.resolve('fieldseal');
  const starts = Array.from({ length: rounds }, () => {
    const args = ['--input-type=module', '-e', COLD_START, entry, key];
    return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as [number, number, number];
  });
  const of = (part: 0 | 1 | 2) => median(starts.map((start) => start[part] * 1e6));
  return {
    'cold start: import': of(0),
    'cold start: the first value': of(1),
    'cold start: the first batch, of 1000': of(2),
  };
}

export async function measureParts(key: string, rules: Rules): Promise<Record<string, number>> {
  const now = Date.now();
  const keyring = new Keyring(addPurposeKey(createKeyring(Secret.random(32), [], now), 'blind-index', now));
  const value = 'x'.repeat(100);
  const one = new Table(model, 'one', keyring);
  const cached = new Table(model, 'one', keyring, { cache: { entries: 10, maxAgeSeconds: 3600 } });
  const indexed = new Table(model, 'indexed', keyring);
  const row = { id: 7, name: value };
  const stored = one.encryptRow(row);
  const turns = [
    ...rows('fernet', new Table<AnyDeclaration, string>(model, 'plain', keyring)),
    ...rows('xaes', new Table<AnyDeclaration, string>(model, 'bound', keyring)),
    calling('encryptRow, 1 column', 1, () => one.encryptRow(row)),
    calling('encryptRow, 1 column and its blind index', 1, () => indexed.encryptRow(row)),
    calling('lookup in a blind index', 1, () => indexed.lookup('name_index', { name: value })),
    calling('decryptRow, 1 column', 1, () => one.decryptRow(stored)),
    calling('decryptRow, 1 column, masked', 1, () => one.decryptRow(stored, { as: 'masked' })),
    calling('decryptRow, 1 column, in the cache', 1, () => cached.decryptRow(stored)),
  ];
  return { ...(await takeTurns(turns, rules)), ...coldStarts(key, rules.rounds) };
}
