/** A table with every kind of column and index, its ring and its subjects, for the tests of tables. */
import * as codecs from '../../src/fields/codecs.js';
import { encrypted } from '../../src/fields/encrypted.js';
import { encryptedString } from '../../src/fields/encrypted-string.js';
import { blindIndex } from '../../src/fields/index-declaration.js';
import { mask } from '../../src/fields/mask.js';
import { defineModel } from '../../src/fields/model.js';
import { Table, type TableOptions } from '../../src/fields/table.js';
import { Keyring } from '../../src/keys/keyring.js';
import { addPurposeKey } from '../../src/keys/keyring-changes.js';
import { openSubjectKeys, type SubjectKeys } from '../../src/keys/subject-keys.js';
import { freshRing, MADE_AT_MS } from '../fresh-keyring.js';
import { MemorySubjects } from '../keys/memory-subjects.js';

export const FACTS = { distinct: 900_000, commonest: 1e-6 };
export const model = defineModel({
  users: {
    primaryKey: 'id',
    tenant: 'org',
    subject: 'person',
    rows: 1_000_000,
    columns: {
      email: encryptedString({ length: 60, scheme: 'xaes', boundTo: 'row', ...FACTS, mask: mask('email') }),
      phone: encrypted(codecs.string(), { alsoReads: ['plaintext'], mask: mask('phone') }),
      first: encryptedString({ scheme: 'xaes', ...FACTS }),
      born: encrypted(codecs.date(), { scheme: 'xaes', ...FACTS }),
      note: encrypted(codecs.json(), { scheme: 'xaes-subject', storage: 'bytes' }),
      score: encrypted(codecs.number(), { scheme: 'xaes', alsoReads: ['plaintext'] }),
      active: encrypted(codecs.boolean(), { scheme: 'xaes', alsoReads: ['plaintext'] }),
    },
    indexes: {
      email_index: blindIndex('email', { normalise: ['trim', 'lower-case'], bits: 15 }),
      name_index: blindIndex(['first', 'born'], { normalise: { first: ['lower-case'] }, bits: 12 }),
    },
  },
  notes: { primaryKey: 'id', columns: { body: encryptedString({ scheme: 'xaes' }), title: encryptedString() } },
});

export const ring = addPurposeKey(freshRing(), 'blind-index', MADE_AT_MS);
export const keyring = new Keyring(ring);
export const row = { id: 7, org: 'acme', person: 42 };
export const UNREADABLE = (column: string) => ({
  code: 'ERR_DECRYPT_FAILED',
  message: `${column}: The stored value cannot be decrypted: it was written under another key or for another place, altered or is not a token.`,
});

export async function withSubjects(work: (subjects: SubjectKeys, stored: MemorySubjects) => void | Promise<void>) {
  const stored = new MemorySubjects();
  const subjects = await openSubjectKeys(stored);
  await subjects.create([
    { tenant: 'acme', subject: 42 },
    { tenant: 'acme', subject: 43 },
  ]);
  await work(subjects, stored);
  await subjects.close();
}

export const usersOver = (options: TableOptions = {}, over: Keyring | (() => Keyring) = keyring) =>
  new Table(model, 'users', over, options);
