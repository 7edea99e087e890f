/** What the Drizzle adapter is to the compiler: checked by `tsc`, and kept true to Drizzle's own types. */
import * as mysql from 'drizzle-orm/mysql-core';
import * as pg from 'drizzle-orm/pg-core';
import * as sqlite from 'drizzle-orm/sqlite-core';
import { expect, expectTypeOf, it } from 'vitest';
import { type CustomTypeParamsLike, type EncryptedText, encryptedColumns } from '../../src/adapters/drizzle.js';
import * as codecs from '../../src/fields/codecs.js';
import { encrypted } from '../../src/fields/encrypted.js';
import { encryptedString } from '../../src/fields/encrypted-string.js';
import { defineModel } from '../../src/fields/model.js';
import { freshKeyring } from '../fresh-keyring.js';

interface Schema {
  users: { id: number; phone_number: string; ssn: string | null };
}

const tables = {
  users: { primaryKey: 'id', columns: { phone_number: encryptedString(), ssn: encryptedString() } },
} as const;
const model = defineModel(tables);
const typedModel = defineModel<Schema>(tables);
const keyring = freshKeyring();

/** The row that every dialect infers. */
interface User {
  id: number;
  phoneNumber: string;
  ssn: string | null;
}

it('what is declared of a custom type here fits what Drizzle asks for, in every dialect', () => {
  expectTypeOf<CustomTypeParamsLike>().toExtend<sqlite.CustomTypeParams<EncryptedText>>();
  expectTypeOf<CustomTypeParamsLike>().toExtend<pg.CustomTypeParams<EncryptedText>>();
  expectTypeOf<CustomTypeParamsLike>().toExtend<mysql.CustomTypeParams<EncryptedText>>();
});

it('on SQLite a column is a string, or a string or null', () => {
  const encrypted = encryptedColumns({ model, keyring, customType: sqlite.customType<EncryptedText> });
  const users = sqlite.sqliteTable('users', {
    id: sqlite.integer('id').primaryKey(),
    phoneNumber: encrypted('users', 'phone_number').notNull(),
    ssn: encrypted('users', 'ssn'),
  });
  expectTypeOf<typeof users.$inferSelect>().toEqualTypeOf<User>();
  expectTypeOf<typeof users.$inferInsert>().toEqualTypeOf<{
    id?: number | undefined;
    phoneNumber: string;
    ssn?: string | null | undefined;
  }>();
  expect(users.phoneNumber.getSQLType()).toBe('text');
});

it('on PostgreSQL too', () => {
  const encrypted = encryptedColumns({ model, keyring, customType: pg.customType<EncryptedText> });
  const users = pg.pgTable('users', {
    id: pg.integer('id').primaryKey(),
    phoneNumber: encrypted('users', 'phone_number').notNull(),
    ssn: encrypted('users', 'ssn'),
  });
  expectTypeOf<typeof users.$inferSelect>().toEqualTypeOf<User>();
  expect(users.ssn.getSQLType()).toBe('text');
  expect(users.ssn.mapFromDriverValue(users.ssn.mapToDriverValue('123-45-6789') as string)).toBe('123-45-6789');
});

it('on MySQL too', () => {
  const encrypted = encryptedColumns({ model, keyring, customType: mysql.customType<EncryptedText> });
  const users = mysql.mysqlTable('users', {
    id: mysql.int('id').primaryKey(),
    phoneNumber: encrypted('users', 'phone_number').notNull(),
    ssn: encrypted('users', 'ssn'),
  });
  expectTypeOf<typeof users.$inferSelect>().toEqualTypeOf<User>();
  expect(users.ssn.getSQLType()).toBe('text');
  expect(users.ssn.mapFromDriverValue(users.ssn.mapToDriverValue('123-45-6789') as string)).toBe('123-45-6789');
});

it('a column or table that the model does not declare does not compile', () => {
  for (const encrypted of [
    encryptedColumns({ model, keyring, customType: sqlite.customType<EncryptedText> }),
    encryptedColumns({ model: typedModel, keyring, customType: sqlite.customType<EncryptedText> }),
  ]) {
    encrypted('users', 'phone_number');
    // @ts-expect-error a misspelt column
    expect(() => encrypted('users', 'phone_nubmer')).toThrow(
      new TypeError('the model declares no column users.phone_nubmer'),
    );
    // @ts-expect-error a misspelt table
    expect(() => encrypted('user', 'ssn')).toThrow(new TypeError('the model declares no column user.ssn'));
  }
});

it('a column whose values are not text does not compile', () => {
  const mixed = defineModel({
    users: { primaryKey: 'id', columns: { age: encrypted(codecs.integer()), born: encrypted(codecs.date()) } },
  });
  const columns = encryptedColumns({ model: mixed, keyring, customType: sqlite.customType<EncryptedText> });
  columns('users', 'born');
  // @ts-expect-error a number is not what the custom type of an encrypted column holds
  columns('users', 'age');
});
