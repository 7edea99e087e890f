/** What models and tables are to the compiler, for interfaces, Drizzle tables and Kysely databases: checked by `tsc`. */
import * as pg from 'drizzle-orm/pg-core';
import * as sqlite from 'drizzle-orm/sqlite-core';
import type { ColumnType, Generated } from 'kysely';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { Secret } from '../../src/core/secret.js';
import * as codecs from '../../src/fields/codecs.js';
import { encrypted } from '../../src/fields/encrypted.js';
import { encryptedString } from '../../src/fields/encrypted-string.js';
import { blindIndex } from '../../src/fields/index-declaration.js';
import { defineModel } from '../../src/fields/model.js';
import type { Stored } from '../../src/fields/scheme.js';
import { Table } from '../../src/fields/table.js';
import { Keyring } from '../../src/keys/keyring.js';
import { addPurposeKey } from '../../src/keys/keyring-changes.js';
import { freshRing, MADE_AT_MS } from '../fresh-keyring.js';

const keyring = new Keyring(addPurposeKey(freshRing(), 'blind-index', MADE_AT_MS));
const FACTS = { distinct: 900_000, commonest: 1e-6 };
const email = encryptedString(FACTS);
const email_index = blindIndex('email', { bits: 15 });

/** One's own interface. */
interface OwnSchema {
  users: {
    id: number;
    org: string;
    email: string | null;
    email_index: string | null;
    born: Date;
    plan: 'free' | 'team';
  };
}

const sqliteUsers = sqlite.sqliteTable('users', {
  id: sqlite.integer('id').primaryKey(),
  orgId: sqlite.text('org').notNull(),
  email: sqlite.text('email'),
  emailIndex: sqlite.text('email_index'),
  born: sqlite.integer('born', { mode: 'timestamp' }).notNull(),
  plan: sqlite.text('plan', { enum: ['free', 'team'] }).notNull(),
});
const pgUsers = pg.pgTable('users', {
  id: pg.serial('id').primaryKey(),
  orgId: pg.text('org').notNull(),
  email: pg.text('email'),
  emailIndex: pg.text('email_index'),
  born: pg.timestamp('born').notNull(),
  plan: pg.text('plan', { enum: ['free', 'team'] }).notNull(),
});

/** A Kysely database. */
interface KyselyDatabase {
  users: {
    id: Generated<number>;
    org: string;
    email: string | null;
    email_index: string | null;
    born: ColumnType<Date, string | undefined, never>;
    plan: Generated<'free' | 'team'>;
  };
}

/** The same declaration and the same mistakes for a schema of any kind; each has the columns above. */
function declare<
  Schema extends OwnSchema | { users: typeof sqliteUsers } | { users: typeof pgUsers } | KyselyDatabase,
>() {
  return defineModel<Schema>();
}

describe('a model of one’s own interface', () => {
  it('compiles with the names and types of its columns', () => {
    defineModel<OwnSchema>({
      users: {
        primaryKey: ['org', 'id'],
        tenant: 'org',
        subject: 'id',
        rows: 1_000_000,
        columns: { email, born: encrypted(codecs.timestamp()), plan: encrypted(codecs.oneOf(['free', 'team'])) },
        indexes: { email_index },
      },
    });
  });

  it('does not compile with others', () => {
    defineModel<OwnSchema>({
      users: {
        primaryKey: 'id',
        columns: {
          email,
          // @ts-expect-error a misspelt column
          emial: email,
        },
      },
    });
    defineModel<OwnSchema>({
      users: {
        primaryKey: 'id',
        columns: {
          // @ts-expect-error a codec of another type
          born: encryptedString(),
          // @ts-expect-error a codec of texts that the column may not have
          plan: encryptedString(),
        },
      },
    });
    defineModel<OwnSchema>({
      // @ts-expect-error a misspelt tenant
      users: { primaryKey: 'id', tenant: 'organisation', columns: { email } },
    });
    defineModel<OwnSchema>({
      // @ts-expect-error a misspelt subject
      users: { primaryKey: 'id', subject: 'person', columns: { email } },
    });
    defineModel<OwnSchema>({
      users: {
        primaryKey: 'id',
        rows: 1_000_000,
        columns: { email },
        indexes: {
          // @ts-expect-error an index in a column that the table has not
          mail_index: email_index,
        },
      },
    });
  });
});

describe('a model of a Drizzle table', () => {
  it('of SQLite compiles with its names in the database only', () => {
    defineModel<{ users: typeof sqliteUsers }>({
      users: {
        primaryKey: 'id',
        tenant: 'org',
        rows: 1_000_000,
        columns: { email, born: encrypted(codecs.timestamp()), plan: encrypted(codecs.oneOf(['free', 'team'])) },
        indexes: { email_index },
      },
    });
    defineModel<{ users: typeof sqliteUsers }>({
      // @ts-expect-error the property’s name is not the column’s
      users: { primaryKey: 'id', tenant: 'orgId', columns: { email } },
    });
    defineModel<{ users: typeof sqliteUsers }>({
      users: {
        primaryKey: 'id',
        columns: {
          // @ts-expect-error a misspelt column
          emial: email,
        },
      },
    });
    defineModel<{ users: typeof sqliteUsers }>({
      users: {
        primaryKey: 'id',
        columns: {
          // @ts-expect-error a codec of another type
          born: encryptedString(),
        },
      },
    });
    defineModel<{ users: typeof sqliteUsers }>({
      // @ts-expect-error a misspelt table
      user: { primaryKey: 'id', columns: { email } },
    });
  });

  it('of PostgreSQL too', () => {
    defineModel<{ users: typeof pgUsers }>({
      users: {
        primaryKey: 'id',
        tenant: 'org',
        rows: 1_000_000,
        columns: { email, born: encrypted(codecs.timestamp()) },
        indexes: { email_index },
      },
    });
    defineModel<{ users: typeof pgUsers }>({
      users: {
        primaryKey: 'id',
        rows: 1_000_000,
        columns: {
          email,
          // @ts-expect-error a codec of another type
          born: encrypted(codecs.integer()),
        },
        indexes: {
          // @ts-expect-error the property’s name is not the column’s
          emailIndex: email_index,
        },
      },
    });
    defineModel<{ users: typeof pgUsers }>({
      // @ts-expect-error a misspelt primary key
      users: { primaryKey: 'identifier', columns: { email } },
    });
  });
});

describe('a model of a Kysely database', () => {
  it('compiles with the types that a query returns', () => {
    defineModel<KyselyDatabase>({
      users: {
        primaryKey: 'id',
        tenant: 'org',
        rows: 1_000_000,
        columns: { email, born: encrypted(codecs.timestamp()), plan: encrypted(codecs.oneOf(['free', 'team'])) },
        indexes: { email_index },
      },
    });
    defineModel<KyselyDatabase>({
      users: {
        primaryKey: 'id',
        columns: {
          // @ts-expect-error the type that is inserted is not the one that is selected
          born: encryptedString(),
          // @ts-expect-error a generated column of another type
          plan: encrypted(codecs.integer()),
        },
      },
    });
    defineModel<KyselyDatabase>({
      users: {
        primaryKey: 'id',
        columns: {
          // @ts-expect-error a misspelt column
          emial: email,
        },
      },
    });
    defineModel<KyselyDatabase>({
      // @ts-expect-error a misspelt table
      people: { primaryKey: 'id', columns: { email } },
    });
  });
});

describe('defineModel<Schema>()({…})', () => {
  const model = declare<OwnSchema>()({
    users: {
      primaryKey: 'id',
      rows: 1_000_000,
      columns: {
        email,
        born: encrypted(codecs.timestamp()),
        plan: encrypted(codecs.oneOf(['free', 'team']), { scheme: 'xaes' }),
      },
      indexes: { email_index },
    },
  });
  const users = new Table(model, 'users', keyring);
  const given = { id: 7, nickname: 'jd', email: 'x' as string | null, born: new Date(0), plan: 'free' as const };

  it('refuses to compile what defineModel refuses', () => {
    declare<{ users: typeof sqliteUsers }>()({
      // @ts-expect-error a misspelt tenant
      users: { primaryKey: 'id', tenant: 'orgId', columns: { email } },
    });
    declare<KyselyDatabase>()({
      users: {
        primaryKey: 'id',
        columns: {
          // @ts-expect-error a codec of another type
          born: encryptedString(),
        },
      },
    });
    declare<{ users: typeof pgUsers }>()({ users: { primaryKey: 'id', columns: { email } } });
  });

  it('knows which columns encryptRow makes tokens of, and which pass through', () => {
    const stored = users.encryptRow(given);
    expectTypeOf(stored.email).toEqualTypeOf<Stored | null>();
    expectTypeOf(stored.born).toEqualTypeOf<Stored>();
    expectTypeOf(stored.id).toEqualTypeOf<number>();
    expectTypeOf(stored.nickname).toEqualTypeOf<string>();
    expectTypeOf(stored.email_index).toEqualTypeOf<string | null | undefined>();
    // @ts-expect-error nobody gave or declared it
    expect(stored.phone).toBeUndefined();
  });

  it('knows what decryptRow makes of a row, in each way', () => {
    const stored = users.encryptRow(given);
    const plain = users.decryptRow(stored);
    expectTypeOf(plain.email).toEqualTypeOf<string | null>();
    expectTypeOf(plain.born).toEqualTypeOf<Date>();
    expectTypeOf(plain.plan).toEqualTypeOf<'free' | 'team'>();
    expectTypeOf(plain.id).toEqualTypeOf<number>();
    const masked = users.decryptRow(stored, { as: 'masked' });
    expectTypeOf(masked.born).toEqualTypeOf<string>();
    expectTypeOf(masked.email).toEqualTypeOf<string | null>();
    const secrets = users.decryptRow(stored, { as: 'secrets' });
    expectTypeOf(secrets.born).toEqualTypeOf<Secret>();
    expectTypeOf(secrets.email).toEqualTypeOf<Secret | null>();
    expect(plain).toEqual({ ...given, email_index: stored.email_index });
    // @ts-expect-error there is no such way
    expect(() => users.decryptRow(stored, { as: 'hidden' })).toThrow(TypeError);
  });

  it('knows its tables and its indexes', () => {
    expect(users.lookup('email_index', { email: 'x' })).toHaveLength(1);
    // @ts-expect-error a column is no index
    expect(() => users.lookup('email', { email: 'x' })).toThrow('The model declares no blind index users.email.');
    // @ts-expect-error a misspelt index
    expect(() => users.matches('mail_index', {}, {})).toThrow('The model declares no blind index users.mail_index.');
    // @ts-expect-error a table that is not declared
    expect(() => new Table(model, 'people', keyring)).toThrow('the model declares no table people');
  });
});

describe('a model without a reference type', () => {
  it('knows what was declared too', () => {
    const model = defineModel({ users: { primaryKey: 'id', columns: { born: encrypted(codecs.timestamp()) } } });
    const users = new Table(model, 'users', keyring);
    const plain = users.decryptRow(users.encryptRow({ id: 7n, born: new Date(0) }));
    expectTypeOf(plain.born).toEqualTypeOf<Date>();
    expect(plain).toEqual({ id: 7n, born: new Date(0) });
  });
});
