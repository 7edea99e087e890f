/** The declaration of tables and columns. */
import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/errors.js';
import { defineConfig } from '../../src/fields/config.js';
import { encryptedString } from '../../src/fields/encrypted-string.js';
import { defineModel } from '../../src/fields/model.js';
import { assertModel } from '../../src/fields/model-check.js';
import { refusalOf } from '../refusal.js';

interface Schema {
  users: { id: number; phone_number: string | null; ssn: string };
  notes: { user_id: number; position: number; body: string };
}

describe('a model', () => {
  it('is what was declared, and cannot be changed', () => {
    const tables = { users: { primaryKey: 'id', columns: { phone_number: encryptedString({ length: 20 }) } } } as const;
    const model = defineModel(tables);
    expect(model.tables).toBe(tables);
    expect(Object.isFrozen(model)).toBe(true);
    expect(defineConfig({ keys: 'stored', model })).toEqual({ keys: 'stored', model });
  });

  it('may have a primary key of several columns', () => {
    const model = defineModel<Schema>({
      notes: { primaryKey: ['user_id', 'position'], columns: { body: encryptedString() } },
    });
    expect(model.tables.notes?.primaryKey).toEqual(['user_id', 'position']);
  });

  it('of a reference type compiles with its names only', () => {
    defineModel<Schema>({
      users: {
        primaryKey: 'id',
        columns: {
          phone_number: encryptedString(),
          // @ts-expect-error a misspelt column does not compile
          phone_nubmer: encryptedString(),
        },
      },
    });
    defineModel<Schema>({
      // @ts-expect-error a misspelt table does not compile
      user: { primaryKey: 'id', columns: { phone_number: encryptedString() } },
    });
    defineModel<Schema>({
      // @ts-expect-error a misspelt primary key does not compile
      users: { primaryKey: 'identifier', columns: { ssn: encryptedString() } },
    });
    defineModel<Schema>({
      // @ts-expect-error neither does one among several
      notes: { primaryKey: ['user_id', 'place'], columns: { body: encryptedString() } },
    });
    defineModel<Schema>({ users: { primaryKey: 'id', columns: { ssn: encryptedString() } } });
  });

  it('without a reference type takes every name', () => {
    expect(
      Object.keys(defineModel({ 'a b': { primaryKey: 'x', columns: { 'ü"': encryptedString() } } }).tables),
    ).toEqual(['a b']);
  });
});

describe('a model with mistakes', () => {
  const column = encryptedString();
  const define = (tables: Record<string, unknown>) => () => defineModel(tables as never);
  const single: [string, Record<string, unknown>, string, ErrorCode?][] = [
    ['no primary key', { users: { columns: { ssn: column } } }, 'users: primaryKey is missing'],
    ['an empty primary key', { users: { primaryKey: [], columns: { ssn: column } } }, 'users: primaryKey is missing'],
    [
      'a primary key without a name',
      { users: { primaryKey: '', columns: { ssn: column } } },
      'users: primaryKey is missing',
    ],
    [
      'a primary key of numbers',
      { users: { primaryKey: [1], columns: { ssn: column } } },
      'users: primaryKey is missing',
    ],
    [
      'a primary key that names a column twice',
      { users: { primaryKey: ['id', 'id'], columns: { ssn: column } } },
      'users: primaryKey names a column twice',
    ],
    ['no columns', { users: { primaryKey: 'id', columns: {} } }, 'users: columns is empty'],
    ['columns left out', { users: { primaryKey: 'id' } }, 'users: columns is empty'],
    [
      'an encrypted primary key',
      { users: { primaryKey: ['org', 'ssn'], columns: { ssn: column } } },
      'users.ssn: a column of the primary key cannot be encrypted',
      'ERR_CONTEXT_ENCRYPTED',
    ],
    ['a table without a name', { '': { primaryKey: 'id', columns: { ssn: column } } }, 'a table needs a name'],
    ['a name with a NUL', { 'us\0ers': { primaryKey: 'id', columns: { ssn: column } } }, 'a table needs a name'],
    [
      'a column without a name',
      { users: { primaryKey: 'id', columns: { '': column } } },
      'users: a column needs a name',
    ],
    [
      'a column that is null',
      { users: { primaryKey: 'id', columns: { ssn: null } } },
      'users.ssn: declare it with encrypted(…) or encryptedString(…)',
    ],
    [
      'a column that is text',
      { users: { primaryKey: 'id', columns: { ssn: 'text' } } },
      'users.ssn: declare it with encrypted(…) or encryptedString(…)',
    ],
    [
      'a column written in plaintext',
      { users: { primaryKey: 'id', columns: { ssn: { ...column, scheme: 'plaintext' } } } },
      'users.ssn: scheme names none that writes (there are fernet, xaes, xaes-subject)',
      'ERR_SCHEME_UNKNOWN',
    ],
    [
      'a column made by hand without alsoReads',
      { users: { primaryKey: 'id', columns: { ssn: { codec: column.codec, scheme: 'fernet' } } } },
      'users.ssn: declare it with encrypted(…) or encryptedString(…)',
    ],
    [
      'alsoReads that is text',
      { users: { primaryKey: 'id', columns: { ssn: { ...column, alsoReads: 'plaintext' } } } },
      'users.ssn: declare it with encrypted(…) or encryptedString(…)',
    ],
    [
      'a scheme that does not exist',
      { users: { primaryKey: 'id', columns: { ssn: { ...column, alsoReads: ['toString'] } } } },
      'users.ssn: alsoReads names a scheme that does not exist (there are fernet, xaes, xaes-subject, plaintext)',
      'ERR_SCHEME_UNKNOWN',
    ],
  ];

  it.each(single)('is refused: %s', (_name, tables, mistake, code = 'ERR_MODEL_INVALID') => {
    expect(refusalOf(define(tables))).toEqual({
      code,
      message: expect.stringMatching(/^The model has \d+ mistake\(s\): .*\.$/),
    });
    expect(refusalOf(define(tables)).message).toContain(mistake);
  });

  it('lists all of them at once, each with its place', () => {
    const tables = {
      users: { primaryKey: 'ssn', columns: { ssn: column, phone: {} } },
      notes: { columns: {} },
      empty: undefined,
    };
    expect(refusalOf(define(tables))).toEqual({
      code: 'ERR_MODEL_INVALID',
      message:
        'The model has 6 mistake(s): users.ssn: a column of the primary key cannot be encrypted; ' +
        'users.phone: declare it with encrypted(…) or encryptedString(…); notes: primaryKey is missing; notes: columns is empty; ' +
        'empty: primaryKey is missing; empty: columns is empty.',
    });
  });

  it.each([undefined, null, {}, { tables: null }, { tables: 'users' }, 5])('is none at all: %j', (model) => {
    expect(refusalOf(() => assertModel(model))).toEqual({
      code: 'ERR_MODEL_INVALID',
      message: 'The model is not one that defineModel(…) returned.',
    });
  });
});
