import { defineModel, EncryptionService, encryptedString, Fernet, Keyring, type Model } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import { rejectionOf } from '../refusal.js';
import { FIELDS_DATABASES, type FieldsDatabase } from './with-fields.js';

const model = (alsoReads: readonly 'plaintext'[] = []) =>
  defineModel({ t: { primaryKey: 'id', columns: { c: encryptedString({ alsoReads }) } } }) as Model;
const SEALED = model();
const MIGRATING = model(['plaintext']);
const TABLE = 'CREATE TABLE t (id INTEGER PRIMARY KEY, c TEXT)';
const SQL = { sqlite: TABLE, postgres: TABLE };

/** An application that knows the keys of now, and will learn of no other. */
async function processOf(place: FieldsDatabase): Promise<EncryptionService> {
  return new EncryptionService(new Keyring((await place.application()).keyring.snapshot()));
}

/** A token with a bit of its ciphertext changed: as long, and as well formed. */
function altered(token: string): string {
  const bytes = Buffer.from(token, 'base64url');
  bytes[30] = (bytes[30] as number) ^ 1;
  return bytes.toString('base64url') + '='.repeat((3 - (bytes.length % 3)) % 3);
}

describe.each(FIELDS_DATABASES)('a table on %s', (_name, withFields) => {
  it.each([0, 1])('of %i rows is encrypted, rotated, verified and decrypted', (rows) =>
    withFields(SQL, async (place) => {
      if (rows === 1) await place.query("INSERT INTO t VALUES (1, 'one')");
      const counts = { total: rows, rotated: rows, current: 0, skipped: 0, failed: 0 };
      for (const kind of ['encrypt', 'rotate'] as const) {
        expect(await place.run(kind, MIGRATING)).toMatchObject({ status: 'completed', counts, left: 0, passes: 2 });
      }
      const verified = { status: 'completed', counts: { ...counts, rotated: 0, current: rows } };
      expect(await place.run('verify', SEALED)).toMatchObject(verified);
      expect(await place.run('decrypt', MIGRATING)).toMatchObject({ status: 'completed', counts });
      expect(await place.query('SELECT c FROM t')).toEqual(rows === 1 ? [{ c: 'one' }] : []);
    }),
  );

  it('into which a stale process inserts old tokens behind the cursor is swept again, until none is left', () =>
    withFields(SQL, async (place) => {
      const rows = Array.from({ length: 700 }, (_, i) => ({ id: i + 1, c: `value ${i + 1}` }));
      await place.insert('t', rows);
      await place.run('encrypt', MIGRATING);
      const stale = await processOf(place);
      const stopped = await rejectionOf(() => place.run('rotate', SEALED, { stopInPass: 1 }));
      expect(stopped.code).toBe('ERR_RUN_STOPPED');
      await place.insert(
        't',
        [-1, -2].map((id) => ({ id, c: stale.encryptField(`late ${id}`) })),
      );
      const report = await place.run('rotate', SEALED);
      expect(report).toMatchObject({
        ...{ status: 'completed', left: 0, passes: 4, failures: [] },
        counts: { total: 702, rotated: 702, current: 0, skipped: 0, failed: 0 },
        columns: [{ total: 700, rotated: 700, held: { v2: 702 } }],
      });
      const fresh = await processOf(place);
      const stored = await place.query('SELECT id, c FROM t');
      const texts = new Map(stored.map(({ id, c }) => [id, fresh.decryptField(c)]));
      expect([texts.size, texts.get(-1), texts.get(700)]).toEqual([702, 'late -1', 'value 700']);
    }));

  it('with corrupt, foreign and unsealed values has each of them told by key and reason, and the others rotated', () =>
    withFields(SQL, async (place) => {
      await place.insert('t', [
        { id: 1, c: 'one' },
        { id: 9, c: 'nine' },
      ]);
      await place.run('encrypt', MIGRATING);
      const own = await processOf(place);
      const bad = [
        { id: 2, c: altered(own.encryptField('altered')) },
        { id: 3, c: new Fernet(Fernet.generateKey()).encrypt('foreign') },
        { id: 4, c: 'plain' },
        // Begins like a token, and is none.
        { id: 5, c: 'gAAAAAB plain' },
        { id: 6, c: own.encryptField('cut').slice(0, -4) },
        // Its length fits as well; only the key tells.
        { id: 7, c: `gAAAAA${'B'.repeat(91)}A==` },
        { id: 8, c: '' },
      ];
      await place.insert('t', bad);
      const report = await place.run('rotate', SEALED);
      expect(report).toMatchObject({
        ...{ status: 'completed_with_failures', left: 0 },
        counts: { total: 9, rotated: 2, current: 0, skipped: 0, failed: 7 },
      });
      expect(await place.failures(report.run)).toEqual([
        'c: [2]: no_key',
        'c: [3]: no_key',
        'c: [4]: plaintext',
        'c: [5]: plaintext',
        'c: [6]: plaintext',
        'c: [7]: no_key',
        'c: [8]: plaintext',
      ]);
      expect(await place.query('SELECT id, c FROM t WHERE id BETWEEN 2 AND 8 ORDER BY id')).toEqual(bad);
      const fresh = await processOf(place);
      const rotated = await place.query('SELECT c FROM t WHERE id IN (1, 9) ORDER BY id');
      expect(rotated.map(({ c }) => fresh.decryptField(c))).toEqual(['one', 'nine']);
    }));
});
