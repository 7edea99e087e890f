import { blindIndex, codecs, defineModel, encrypted, type Model } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import type { RunKind } from '../../src/store/store.js';
import { declaredTables, writtenColumns } from '../../src/sweep/declared-table.js';

const FACTS = { distinct: 1_000_000, commonest: 1e-6 };

const MODEL = defineModel({
  // An index over one of three fields; tenant in the key.
  people: {
    ...{ primaryKey: ['org', 'id'], tenant: 'org', subject: 'person', rows: 1_000_000 },
    columns: {
      name: encrypted(codecs.string()),
      email: encrypted(codecs.string(), { scheme: 'xaes', boundTo: 'row', ...FACTS }),
      notes: encrypted(codecs.string(), { scheme: 'xaes-subject' }),
    },
    indexes: { email_index: blindIndex('email', { bits: 17 }) },
  },
  // Nothing that is bound to anything, although there are a tenant and a subject.
  plans: {
    ...{ primaryKey: 'id', tenant: 'org', subject: 'person' },
    columns: { name: encrypted(codecs.string()) },
  },
  // A column that only reads what is bound to tenant and subject.
  moving: {
    ...{ primaryKey: 'id', tenant: 'org', subject: 'person' },
    columns: { name: encrypted(codecs.string(), { alsoReads: ['xaes-subject'] }) },
  },
  // An index over Fernet tokens, which is bound to the tenant by itself.
  letters: {
    ...{ primaryKey: 'id', tenant: 'org', rows: 1_000_000 },
    columns: { name: encrypted(codecs.string(), FACTS) },
    indexes: { name_index: blindIndex('name', { bits: 17 }) },
  },
}) as Model;

const tablesOf = (kind: RunKind) =>
  declaredTables(MODEL, kind).map(({ name, fields, indexes, context, indexesOnly, bindsKey }) => {
    const names = (columns: readonly { readonly column: string }[]) => columns.map(({ column }) => column).join();
    return [name, names(fields), names(indexes), context.join(), indexesOnly, bindsKey];
  });

describe('of a declaration', () => {
  it.each(['encrypt', 'verify'] as const)('%s takes fields, indexes and what they are bound to', (kind) => {
    expect(tablesOf(kind)).toEqual([
      ['people', 'name,email,notes', 'email_index', 'org,person', false, true],
      ['plans', 'name', '', '', false, false],
      ['moving', 'name', '', 'org,person', false, false],
      ['letters', 'name', 'name_index', 'org', false, false],
    ]);
  });

  it.each(['rotate', 'decrypt'] as const)('%s takes no indexes, and no tenant for their sake', (kind) => {
    expect(tablesOf(kind)).toEqual([
      ['people', 'name,email,notes', '', 'org,person', false, true],
      ['plans', 'name', '', '', false, false],
      ['moving', 'name', '', 'org,person', false, false],
      ['letters', 'name', '', '', false, false],
    ]);
  });

  it('index takes the tables with indexes, and of those the fields that they are made of', () => {
    expect(tablesOf('index')).toEqual([
      ['people', 'email', 'email_index', 'org', true, true],
      ['letters', 'name', 'name_index', 'org', true, false],
    ]);
  });

  it('the key is taken as declared, and the written columns are fields and indexes', () => {
    const [people] = declaredTables(MODEL, 'encrypt');
    expect(people?.key).toEqual(['org', 'id']);
    expect(people && writtenColumns(people)).toEqual(['name', 'email', 'notes', 'email_index']);
  });
});
