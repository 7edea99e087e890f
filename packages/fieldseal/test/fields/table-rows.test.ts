/** Rows in batches, held against the same rows one by one. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/core/secret.js';
import * as codecs from '../../src/fields/codecs.js';
import { encrypted } from '../../src/fields/encrypted.js';
import { encryptedString } from '../../src/fields/encrypted-string.js';
import { defineModel } from '../../src/fields/model.js';
import type { ContextRow } from '../../src/fields/place.js';
import { Table } from '../../src/fields/table.js';
import { Keyring } from '../../src/keys/keyring.js';
import { addKey, promoteKey } from '../../src/keys/keyring-changes.js';
import { freshKeyring, MADE_AT_MS } from '../fresh-keyring.js';
import { refusalOf } from '../refusal.js';
import { keyring, ring, row, usersOver, withSubjects } from './users-table.js';

const model = defineModel({
  people: {
    primaryKey: 'id',
    columns: {
      name: encryptedString(),
      phone: encryptedString({ alsoReads: ['plaintext'] }),
      photo: encrypted(codecs.bytes(), { storage: 'bytes' }),
      tags: encrypted(codecs.json()),
      motto: encryptedString({ scheme: 'xaes', boundTo: 'row', alsoReads: ['fernet'] }),
    },
  },
});
const people = new Table(model, 'people', keyring);

const text = fc.option(fc.string({ unit: 'binary', maxLength: 40 }));
const person = fc.record(
  {
    id: fc.nat(),
    city: text,
    name: text,
    phone: text,
    photo: fc.option(fc.uint8Array({ maxLength: 40 })),
    tags: fc.option(fc.array(fc.string(), { maxLength: 3 })),
    motto: text,
  },
  { requiredKeys: ['id'] },
);

/** Without prototypes and Buffers, which say nothing about values. */
const plain = (rows: readonly object[]) =>
  rows.map((one) =>
    Object.fromEntries(
      Object.entries(one).map(([name, value]) => [name, value instanceof Uint8Array ? [...value] : value]),
    ),
  );

describe('rows', () => {
  it('encrypted together open one by one, and encrypted one by one open together', () => {
    fc.assert(
      fc.property(fc.array(person, { maxLength: 30 }), (rows) => {
        const together = people.encryptRows(rows);
        expect(plain(together.map((stored) => people.decryptRow(stored)))).toEqual(plain(rows));
        const singly = rows.map((one) => people.encryptRow(one));
        expect(plain(people.decryptRows(singly))).toEqual(plain(rows));
        // As it would be stored: the same columns, of the same lengths, none of them in plaintext.
        const shape = (stored: object) =>
          Object.entries(stored).map(([name, value]) => [name, (value as string | null)?.length ?? null]);
        expect(together.map(shape)).toEqual(singly.map(shape));
      }),
      { numRuns: 100 },
    );
  });

  it('with indexes, subjects and bound values are as they are one by one', () =>
    withSubjects((subjects) => {
      const users = usersOver({ subjects });
      const rows = [1, 2, 3].map((id) => ({
        ...{ ...row, id, email: `Jane${id}@x.com`, phone: '+82', first: 'Jane', born: '1990-05-01' },
        ...{ note: { likes: [id] }, score: -0, active: id === 2 },
      }));
      const stored = users.encryptRows(rows);
      const indexes = (of: readonly object[]) =>
        of.map((one) => [Reflect.get(one, 'email_index'), Reflect.get(one, 'name_index')]);
      expect(indexes(stored)).toEqual(indexes(rows.map((one) => users.encryptRow(one))));
      expect(users.decryptRows(stored)).toEqual(stored.map((one) => users.decryptRow(one)));
      expect(users.decryptRows(stored, { as: 'masked' })).toEqual(
        stored.map((one) => users.decryptRow(one, { as: 'masked' })),
      );
      const [secret] = users.decryptRows(stored, { as: 'secrets' });
      expect(secret?.phone).toBeInstanceOf(Secret);
      expect(Buffer.from(secret?.phone.reveal() ?? []).toString()).toBe('+82');
    }));

  it('under several keys, in plaintext where that is read, and large ones, come out in their order', () => {
    const added = addKey(ring, Secret.random(32), 'pending', MADE_AT_MS);
    const renewed = new Keyring(promoteKey(added.ring, added.version));
    const [older, newer] = [people, new Table(model, 'people', renewed)];
    const rows = Array.from({ length: 3000 }, (_, id) => {
      const phone = `${id} `.repeat(id % 500 === 7 ? 2000 : id % 30);
      const table = id % 3 === 0 ? older : newer;
      return id % 5 === 0 ? { id, phone, name: null } : table.encryptRow({ id, phone, name: `n${id}` });
    });
    expect(newer.decryptRows(rows).map(({ phone, name }) => [phone, name])).toEqual(
      rows.map((one) => newer.decryptRow(one)).map(({ phone, name }) => [phone, name]),
    );
  });

  it('that cannot be read are told by their places, and say what the first one says by itself', () => {
    const foreign = new Table(model, 'people', freshKeyring());
    const good = people.encryptRow({ id: 1, name: 'a', motto: 'm' });
    const rows = [good, foreign.encryptRow({ id: 2, name: 'b' }), good, { ...good, id: 9 }, { ...good, name: 'plain' }];
    const { message } = refusalOf(() => people.decryptRow(rows[1] as typeof good));
    const refusal = refusalOf(() => people.decryptRows(rows));
    expect(refusal).toEqual({
      code: 'ERR_DECRYPT_FAILED',
      message: `3 of 5 rows failed; their indexes are in \`indexes\`. The first: ${message}`,
    });
    expect(() => people.decryptRows(rows)).toThrow(expect.objectContaining({ indexes: [1, 3, 4] }));
    expect(people.decryptRows(rows.filter((_, i) => i === 0 || i === 2))).toHaveLength(2);
  });

  it('that cannot be encrypted are told by their places, and nothing is handed out', () => {
    const short = defineModel({ t: { primaryKey: 'id', columns: { c: encryptedString({ length: 3 }) } } });
    const table = new Table(short, 't', keyring);
    const encrypt = () => table.encryptRows([{ c: 'abc' }, { c: 'SECRET' }, { c: null }, { c: 5 }] as never);
    expect(refusalOf(encrypt)).toEqual({
      code: 'ERR_VALUE_TOO_LONG',
      message:
        '2 of 4 rows failed; their indexes are in `indexes`. The first: t.c: The text is longer than 3 characters.',
    });
    expect(encrypt).toThrow(expect.objectContaining({ indexes: [1, 3] }));
  });

  it('of an erased subject are null in a list that asks for it, beside the others', () =>
    withSubjects(async (subjects, stored) => {
      const users = usersOver({ subjects });
      const rows = users.encryptRows([
        { ...row, note: 'one', phone: '1' },
        { ...row, person: 43, note: 'two', phone: '2' },
      ]);
      stored.erase('42', 'acme');
      await subjects.refresh();
      expect(users.decryptRows(rows, { erased: 'null' }).map(({ note, phone }) => [note, phone])).toEqual([
        [null, '1'],
        ['two', '2'],
      ]);
      expect(() => users.decryptRows(rows)).toThrow(
        expect.objectContaining({ code: 'ERR_SUBJECT_ERASED', indexes: [0] }),
      );
    }));

  it('of a table with a cache are kept there, and found there', () => {
    const users = usersOver({ cache: { entries: 10, maxAgeSeconds: 60 } });
    const stored = users.encryptRows([
      { ...row, phone: '1' },
      { ...row, phone: '2' },
    ]);
    for (const _ of [1, 2]) expect(users.decryptRows(stored).map(({ phone }) => phone)).toEqual(['1', '2']);
  });

  it('of none are none, and a misspelt column is refused', () => {
    expect([people.encryptRows([]), people.decryptRows([])]).toEqual([[], []]);
    for (const work of [() => people.encryptRows([{ Name: 'SECRET' }]), () => people.decryptRows([{ Name: 'x' }])]) {
      expect(work).toThrow(
        new TypeError('people: the row has Name, and the declaration name; rows have the names of the database'),
      );
    }
  });

  it('may have columns by names that every object has', () => {
    const odd = defineModel({ t: { primaryKey: 'valueOf', columns: { constructor: encryptedString() } } });
    const table = new Table(odd, 't', keyring);
    const [named, other]: ContextRow[] = [{ id: 1, constructor: 'hello' }, { id: 2 }];
    expect(plain([table.encryptRow(other as ContextRow)])).toEqual([other]);
    const stored: ContextRow[] = [table.encryptRow(named as ContextRow), other as ContextRow];
    expect(plain(table.decryptRows(stored))).toEqual([named, other]);
  });

  it('keep their values apart when a codec, or a row, uses one buffer for all', () => {
    const shared = Buffer.alloc(64);
    const into = codecs.codec<string>({
      name: 'into',
      encode: (value) => shared.subarray(0, shared.write(value)),
      decode: (bytes) => Buffer.from(bytes).toString(),
    });
    const own = defineModel({
      t: { primaryKey: 'id', columns: { c: encrypted(into), raw: encrypted(codecs.bytes(), { storage: 'bytes' }) } },
    });
    const table = new Table(own, 't', keyring);
    const used = new Uint8Array(2);
    const rows = [1, 2, 3].map((id) => ({
      c: `value ${id}`,
      get raw() {
        return used.fill(id);
      },
    }));
    const opened = table.encryptRows(rows).map((stored) => table.decryptRow(stored));
    expect(plain(opened)).toEqual([1, 2, 3].map((id) => ({ c: `value ${id}`, raw: [id, id] })));
  });

  it('with a value that a codec of another make turns into no text and no bytes are refused, as one by one', () => {
    const codecOf = (made: unknown) => ({ name: 'odd', isText: false, encode: () => made, decode: () => 'x' }) as never;
    const tableOf = (made: unknown) =>
      new Table(defineModel({ t: { primaryKey: 'id', columns: { c: encrypted(codecOf(made)) } } }), 't', keyring);
    for (const made of [new ArrayBuffer(4), 7, [1, 2], undefined]) {
      const refusal = new TypeError('encrypt takes a string or a Uint8Array');
      expect(() => tableOf(made).encryptRow({ c: 'x' } as never)).toThrow(refusal);
      expect(() => tableOf(made).encryptRows([{ c: 'x' }] as never)).toThrow(refusal);
    }
    expect(() => tableOf('\ud800').encryptRows([{ c: null }, { c: 'x' }] as never)).toThrow(
      expect.objectContaining({ code: 'ERR_VALUE_NOT_TEXT', indexes: [1], message: expect.stringContaining('t.c: ') }),
    );
  });

  it.each([null, 'value', 'Masked'])('are handed out in none but the three ways: %j is refused', (as) => {
    const stored = people.encryptRow({ id: 1, name: 'SECRET' });
    for (const work of [people.decryptRow.bind(people, stored), people.decryptRows.bind(people, [stored])]) {
      expect(() => work({ as } as never)).toThrow(new TypeError('as is values, masked or secrets'));
    }
    expect(people.decryptRows([stored], { as: undefined } as never)[0]?.name).toBe('SECRET');
  });

  it('lend a codec of one’s own bytes that lie apart from those of other rows', () => {
    const keeping = codecs.codec<Uint8Array>({ name: 'keeping', encode: (v) => v, decode: (v) => v, isText: false });
    const own = defineModel({ t: { primaryKey: 'id', columns: { c: encrypted(keeping) } } });
    const table = new Table(own, 't', keyring);
    const stored = table.encryptRows([{ c: Buffer.from('one') }, { c: Buffer.from('SECRET') }]);
    const [first] = table.decryptRows(stored);
    expect(Buffer.from(first?.c.buffer as ArrayBuffer).toString()).toBe('one');
  });
});
