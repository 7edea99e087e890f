import { blindIndex, codecs, defineModel, encrypted, encryptedString, type Model } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import type { RunKind } from '../../src/store/store.js';
import { sqlitePreflight } from '../../src/sweep/sqlite-preflight.js';
import { refusalOf } from '../refusal.js';
import { withSqlite } from './with-sqlite.js';

interface Declared {
  readonly table?: string;
  readonly columns?: readonly string[];
  readonly primaryKey?: string | readonly string[];
  readonly allowTriggers?: boolean;
  readonly model?: Model;
  readonly kind?: RunKind;
}

function preflight(sql: string, declared: Declared = {}) {
  const { table = 't', columns = ['phone'], primaryKey = 'id', allowTriggers = false, kind = 'encrypt' } = declared;
  const declaration = Object.fromEntries(columns.map((column) => [column, encryptedString()]));
  const model = declared.model ?? (defineModel({ [table]: { primaryKey, columns: declaration } }) as Model);
  return withSqlite(sql, (db) => sqlitePreflight(db, model, { kind, allowTriggers }));
}

const sweptTable = (sql: string, declared?: Declared) => preflight(sql, declared).tables[0];
const refused = (sql: string, declared?: Declared) => refusalOf(() => preflight(sql, declared));

function unsuitable(sql: string, text: string, declared?: Declared): void {
  expect(refused(sql, declared)).toEqual({
    code: 'ERR_COLUMN_UNSUITABLE',
    message: `The declaration does not fit: t.phone ${text}.`,
  });
}

describe('a column is refused', () => {
  it.each([
    [
      'the pointing side',
      'CREATE TABLE p (x TEXT UNIQUE); CREATE TABLE t (id INTEGER PRIMARY KEY, phone TEXT REFERENCES p (x))',
    ],
    [
      'the side pointed at',
      'CREATE TABLE t (id INTEGER PRIMARY KEY, phone TEXT); CREATE TABLE c (x TEXT REFERENCES T (Phone))',
    ],
    [
      'the pointing side of one over several columns',
      `CREATE TABLE p (a TEXT, b TEXT, PRIMARY KEY (a, b));
       CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, phone TEXT, FOREIGN KEY (a, phone) REFERENCES p)`,
    ],
  ])('in a foreign key: %s', (_name, sql) => unsuitable(sql, 'stands in a foreign key'));

  it.each([
    ['of its own', 'CREATE TABLE t (id INTEGER PRIMARY KEY, phone TEXT UNIQUE)'],
    ['of several columns', 'CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, PHONE TEXT, UNIQUE (a, phone))'],
    ['made as an index', 'CREATE TABLE t (id INTEGER PRIMARY KEY, phone TEXT); CREATE UNIQUE INDEX i ON t (phone)'],
    [
      'made as a partial index',
      'CREATE TABLE t (id INTEGER PRIMARY KEY, phone TEXT); CREATE UNIQUE INDEX i ON t (phone) WHERE id > 1',
    ],
  ])('in a UNIQUE key %s', (_name, sql) => unsuitable(sql, 'stands in a UNIQUE key'));

  it.each([
    ['of the column', "phone TEXT CHECK (phone LIKE '+%')"],
    ['of another column', "phone TEXT, a TEXT CHECK (a <> '' OR length(PHONE) > 1)"],
    ['of the table', "phone TEXT, CONSTRAINT c CHECK (([phone]) <> '')"],
    ['with a quoted name', 'phone TEXT, CHECK (length("Phone") > 1)'],
    ['with a comment in it', 'phone TEXT CHECK /* why */ ( -- because\n phone <> 1)'],
  ])('in a CHECK constraint %s', (_name, columns) => {
    unsuitable(`CREATE TABLE t (id INTEGER PRIMARY KEY, ${columns})`, 'stands in a CHECK constraint');
  });

  it('that is generated, or feeds a generated one', () => {
    unsuitable(
      "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, phone TEXT GENERATED ALWAYS AS ('+' || a) STORED)",
      'is a generated column',
    );
    unsuitable('CREATE TABLE t (id INTEGER PRIMARY KEY, phone TEXT AS (id) VIRTUAL)', 'is a generated column');
    unsuitable(
      'CREATE TABLE t (id INTEGER PRIMARY KEY, phone TEXT, a TEXT AS (substr(phone, 1, 3)))',
      'feeds a generated column',
    );
  });

  it.each([
    ['as an expression', 'CREATE INDEX i ON t (lower(phone))'],
    ['as an expression beside a column', 'CREATE INDEX i ON t (id, "phone" || 1)'],
    ['as a condition', 'CREATE INDEX i ON t (name) WHERE Phone IS NOT NULL'],
    ['as a condition of a unique one', 'CREATE UNIQUE INDEX i ON t (name) WHERE phone <> 1'],
  ])('in an index %s', (_name, index) => {
    unsuitable(
      `CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, phone TEXT); ${index}`,
      'stands in an expression or condition of the index i',
    );
  });

  it.each(['INTEGER', 'NUMERIC', 'REAL', 'BIGINT', 'DECIMAL(10,5)'])('of the type %s', (type) => {
    unsuitable(
      `CREATE TABLE t (id INTEGER PRIMARY KEY, phone ${type})`,
      `has the type ${type}, which does not keep text as it is; make it TEXT`,
    );
  });

  it('of a STRICT table, unless it is TEXT or ANY', () => {
    const strict = (type: string) => `CREATE TABLE t (id INTEGER PRIMARY KEY, phone ${type}) STRICT`;
    unsuitable(strict('BLOB'), 'has the type BLOB, which does not keep text as it is; make it TEXT');
    expect(sweptTable(strict('TEXT'))?.name).toBe('t');
    expect(sweptTable(strict('ANY'))?.name).toBe('t');
  });

  it('that is part of the real primary key, in whatever case it is declared', () => {
    const sql = 'CREATE TABLE t (a TEXT, Phone TEXT, PRIMARY KEY (a, Phone))';
    unsuitable(sql, 'stands in a UNIQUE key', { primaryKey: ['a', 'PHONE'] });
    unsuitable(`${sql} WITHOUT ROWID`, 'stands in a UNIQUE key', { primaryKey: ['a', 'PHONE'] });
    unsuitable('CREATE TABLE t (Phone TEXT PRIMARY KEY)', 'stands in a UNIQUE key', { primaryKey: 'PHONE' });
  });
});

describe('a column is not refused', () => {
  it.each([
    [
      'a comment',
      'CREATE TABLE t (id INTEGER PRIMARY KEY, phone TEXT, /* CHECK (phone) */ a TEXT CHECK (a /* phone */ > 1))',
    ],
    ['a string', "CREATE TABLE t (id INTEGER PRIMARY KEY, phone TEXT, a TEXT CHECK (a <> 'phone'))"],
    ['a default', "CREATE TABLE t (id INTEGER PRIMARY KEY, phone TEXT DEFAULT ('phone'), a TEXT CHECK (a > 1))"],
    ['a longer name', 'CREATE TABLE t (id INTEGER PRIMARY KEY, phone TEXT, phone2 TEXT CHECK (phone2 > 1))'],
    ['a plain index', 'CREATE TABLE t (id INTEGER PRIMARY KEY, phone TEXT); CREATE INDEX i ON t (phone)'],
    [
      'the name of an index',
      'CREATE TABLE t (id INTEGER PRIMARY KEY, phone TEXT); CREATE INDEX phone ON t (lower(id))',
    ],
    [
      'another table',
      'CREATE TABLE t (id INTEGER PRIMARY KEY, phone TEXT); CREATE TABLE u (phone TEXT UNIQUE CHECK (phone > 1))',
    ],
  ])('because it is mentioned in %s', (_name, sql) => {
    expect(sweptTable(sql)?.name).toBe('t');
  });

  it('because its table bears its name', () => {
    const sql =
      'CREATE TABLE phone (id INTEGER PRIMARY KEY, phone TEXT, made TEXT); CREATE INDEX i ON phone (upper(made))';
    expect(sweptTable(sql, { table: 'phone' })?.name).toBe('phone');
  });

  it.each(['NVARCHAR(24)', 'VARCHAR(20)', 'CLOB', 'BLOB', ''])('of the type %j', (type) => {
    expect(sweptTable(`CREATE TABLE t (id INTEGER PRIMARY KEY, phone ${type})`)?.fields).toHaveLength(1);
  });
});

describe('triggers', () => {
  const TABLE = 'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, phone TEXT);';
  const trigger = (event: string) => `${TABLE} CREATE TRIGGER "copy it" AFTER ${event} ON t BEGIN SELECT 1; END;`;

  it.each(['UPDATE', 'UPDATE OF phone', 'UPDATE OF name, "PHONE"'])(
    'on %s are refused until they are allowed',
    (event) => {
      expect(refused(trigger(event))).toEqual({
        code: 'ERR_TABLE_TRIGGERS',
        message:
          'Triggers run when a swept column is updated, and may copy or change it (t: copy it); look at them, then allow them with --allow-triggers.',
      });
      expect(preflight(trigger(event), { allowTriggers: true })).toMatchObject({
        tables: [{ name: 't' }],
        triggers: ['t: copy it'],
      });
    },
  );

  it.each(['UPDATE OF name', 'INSERT', 'DELETE'])('on %s do not matter', (event) => {
    expect(preflight(trigger(event)).triggers).toEqual([]);
  });
});

describe('the key of a table', () => {
  it('is its primary key, with the rowid standing in for NULLs where there can be some', () => {
    const table = (sql: string, primaryKey: string | string[] = 'id') => {
      const { keyColumns, rowidName } = sweptTable(sql, { primaryKey }) ?? {};
      return { keyColumns, rowidName };
    };
    expect(table('CREATE TABLE t (id INTEGER PRIMARY KEY, phone TEXT)')).toEqual({
      keyColumns: ['id'],
      rowidName: null,
    });
    expect(table('CREATE TABLE t (id TEXT PRIMARY KEY, phone TEXT)')).toEqual({
      keyColumns: ['id'],
      rowidName: 'rowid',
    });
    expect(table('CREATE TABLE t (id INTEGER PRIMARY KEY DESC, phone TEXT)').rowidName).toBe('rowid');
    expect(table('CREATE TABLE t (id TEXT NOT NULL PRIMARY KEY, phone TEXT)').rowidName).toBeNull();
    expect(table('CREATE TABLE t (id TEXT PRIMARY KEY, phone TEXT) WITHOUT ROWID').rowidName).toBeNull();
    expect(table('CREATE TABLE t (id TEXT PRIMARY KEY, ROWID TEXT, phone TEXT)').rowidName).toBe('_rowid_');
    expect(table('CREATE TABLE t (rowid TEXT PRIMARY KEY, _rowid_, phone TEXT)', 'rowid').rowidName).toBe('oid');
    expect(table('CREATE TABLE t (b TEXT, a TEXT NOT NULL, phone TEXT, PRIMARY KEY (b, a))', ['a', 'b'])).toEqual({
      keyColumns: ['b', 'a'],
      rowidName: 'rowid',
    });
  });

  it('is a NOT NULL unique key without swept columns where there is no primary key', () => {
    const sql = `CREATE TABLE t (phone TEXT, "Number" TEXT NOT NULL, place TEXT NOT NULL);
      CREATE UNIQUE INDEX partly ON t (place) WHERE place > 1; CREATE UNIQUE INDEX i ON t ("Number", place);`;
    expect(sweptTable(sql, { primaryKey: ['number', 'place'] })).toMatchObject({
      keyColumns: ['Number', 'place'],
      rowidName: null,
    });
  });

  it.each([
    ['there is none', 'CREATE TABLE t (id INTEGER, phone TEXT)'],
    ['the unique one may be NULL', 'CREATE TABLE t (id INTEGER UNIQUE, phone TEXT)'],
    [
      'the unique one is partial',
      'CREATE TABLE t (id INTEGER NOT NULL, phone TEXT); CREATE UNIQUE INDEX i ON t (id) WHERE id > 1',
    ],
    [
      'the unique one is an expression',
      'CREATE TABLE t (id INTEGER NOT NULL, phone TEXT); CREATE UNIQUE INDEX i ON t (abs(id))',
    ],
    ['the unique one is swept', 'CREATE TABLE t (id INTEGER, phone TEXT NOT NULL UNIQUE)'],
  ])('has to exist: %s', (_name, sql) => {
    expect(refused(sql)).toEqual({
      code: 'ERR_TABLE_NO_KEY',
      message:
        'The declaration does not fit: t has no primary key, and no NOT NULL unique key that is not swept itself; add one.',
    });
  });

  it('has to allow the walk over rows with a NULL in it', () => {
    const sql = 'CREATE TABLE t (id TEXT PRIMARY KEY, rowid TEXT, _rowid_ TEXT, oid TEXT, phone TEXT)';
    expect(refused(sql)).toEqual({
      code: 'ERR_TABLE_NO_KEY',
      message:
        'The declaration does not fit: t: id may be NULL, and rowid, _rowid_, oid are columns, so that such rows cannot be told apart; make it NOT NULL.',
    });
  });

  it('has to be the one that is declared', () => {
    const sql = 'CREATE TABLE t (id INTEGER PRIMARY KEY, number TEXT NOT NULL UNIQUE, phone TEXT)';
    const refusal = (primaryKey: string | string[]) => refused(sql, { primaryKey });
    expect(refusal('number')).toEqual({
      code: 'ERR_TABLE_NO_KEY',
      message: 'The declaration does not fit: t: primaryKey is declared as number, but it is id.',
    });
    expect(refusal(['id', 'number']).message).toBe(
      'The declaration does not fit: t: primaryKey is declared as id, number, but it is id.',
    );
  });
});

describe('a declaration', () => {
  it('finds tables and columns whatever their case, and whatever stands in their names', () => {
    const sql = `CREATE TABLE "Odd ""Table""" ("the id" INTEGER PRIMARY KEY, "it's; a -- Phone" TEXT)`;
    const table = sweptTable(sql, {
      table: 'odd "table"',
      primaryKey: 'THE ID',
      columns: ["IT'S; a -- phone"],
    });
    expect(table).toMatchObject({ name: 'Odd "Table"', keyColumns: ['the id'], rowidName: null });
  });

  it('is refused for a table of Fieldseal itself, whose column every run would then leave out', () => {
    const sql = 'CREATE TABLE api_keys (id INTEGER PRIMARY KEY, name TEXT, encrypted_key TEXT)';
    expect(refused(sql, { table: 'API_Keys', columns: ['name'] })).toEqual({
      code: 'ERR_TABLE_NOT_FOUND',
      message:
        'The declaration does not fit: the table API_Keys is one of Fieldseal itself, which sweeps it undeclared.',
    });
  });

  it('is refused for a table or column that is not there', () => {
    expect(refused('CREATE TABLE u (id INTEGER PRIMARY KEY, phone TEXT); CREATE VIEW t AS SELECT * FROM u')).toEqual({
      code: 'ERR_TABLE_NOT_FOUND',
      message: 'The declaration does not fit: the table t is not in the database.',
    });
    const sql = 'CREATE TABLE t (id INTEGER PRIMARY KEY, phone TEXT)';
    expect(refused(sql, { columns: ['phone', 'fax'], primaryKey: 'number' })).toEqual({
      code: 'ERR_COLUMN_NOT_FOUND',
      message: 'The declaration does not fit: t.number is not in the database; t.fax is not in the database.',
    });
  });

  it('is refused with every objection at once', () => {
    const sql = `CREATE TABLE a (id INTEGER PRIMARY KEY, phone TEXT UNIQUE CHECK (phone > 1), fax REAL);
      CREATE TABLE b (phone TEXT); CREATE TABLE c (id INTEGER PRIMARY KEY, phone TEXT)`;
    const column = { phone: encryptedString() };
    const model = defineModel({
      a: { primaryKey: 'id', columns: { ...column, fax: encryptedString() } },
      b: { primaryKey: 'phone2', columns: column },
      c: { primaryKey: 'id', columns: column },
      d: { primaryKey: 'id', columns: column },
    });
    expect(
      refusalOf(() => withSqlite(sql, (db) => sqlitePreflight(db, model, { kind: 'encrypt', allowTriggers: false }))),
    ).toEqual({
      code: 'ERR_COLUMN_UNSUITABLE',
      message:
        'The declaration does not fit: a.phone stands in a CHECK constraint; a.phone stands in a UNIQUE key; ' +
        'a.fax has the type REAL, which does not keep text as it is; make it TEXT; b.phone2 is not in the database; ' +
        'the table d is not in the database.',
    });
  });
});

/** One column bound to everything that there is, with its index. */
const BOUND = defineModel({
  t: {
    primaryKey: ['org', 'id'],
    tenant: 'org',
    subject: 'person',
    rows: 1_000_000,
    columns: {
      phone: encrypted(codecs.string({ length: 20 }), {
        ...{ scheme: 'xaes-subject', boundTo: 'row', storage: 'bytes' },
        ...{ distinct: 1_000_000, commonest: 1e-6 },
      }),
    },
    indexes: { phone_index: blindIndex('phone', { bits: 17 }) },
  },
}) as Model;
const boundSql = (columns: string, key = 'PRIMARY KEY (org, id)') =>
  `CREATE TABLE t (id INTEGER NOT NULL, org TEXT NOT NULL, ${columns}, ${key})`;

describe('a column with context and an index', () => {
  const fits = boundSql('person TEXT, phone BLOB, phone_index TEXT');
  const contextFor = (kind: RunKind, sql = fits) => {
    const table = sweptTable(sql, { model: BOUND, kind });
    return [table?.fields.map(({ column }) => column), table?.indexes?.map(({ column }) => column), table?.context];
  };

  it('is read with what it is bound to, and with its index by those who look after that', () => {
    expect(contextFor('encrypt')).toEqual([['phone'], ['phone_index'], ['person']]);
    expect(contextFor('rotate')).toEqual([['phone'], [], ['person']]);
    expect(sweptTable(fits, { model: BOUND, kind: 'index' })).toMatchObject({ indexesOnly: true });
    // A tenant in a key that may be NULL is read apart: such a row is walked by its rowid.
    const nullable =
      'CREATE TABLE t (id INTEGER, org TEXT, person TEXT, phone BLOB, phone_index TEXT, PRIMARY KEY (org, id))';
    expect(contextFor('encrypt', nullable)[2]).toEqual(['org', 'person']);
  });

  it('is refused without the columns that it needs, each told once', () => {
    expect(refused('CREATE TABLE t (phone BLOB)', { model: BOUND })).toEqual({
      code: 'ERR_COLUMN_NOT_FOUND',
      message:
        'The declaration does not fit: t.org is not in the database; t.id is not in the database; ' +
        't.phone_index is not in the database; t.person is not in the database.',
    });
    expect(refused(boundSql('phone BLOB, phone_index TEXT'), { model: BOUND, kind: 'rotate' })).toEqual({
      code: 'ERR_COLUMN_NOT_FOUND',
      message: 'The declaration does not fit: t.person is not in the database.',
    });
  });

  it.each([
    ['UNIQUE', boundSql('person TEXT, phone BLOB, phone_index TEXT UNIQUE'), 'stands in a UNIQUE key'],
    [
      'a number',
      boundSql('person TEXT, phone BLOB, phone_index INTEGER'),
      'has the type INTEGER, which does not keep text as it is; make it TEXT',
    ],
    [
      'checked',
      boundSql("person TEXT, phone BLOB, phone_index TEXT CHECK (phone_index <> '')"),
      'stands in a CHECK constraint',
    ],
    [
      'generated',
      boundSql('person TEXT, phone BLOB, phone_index TEXT AS (hex(phone)) STORED'),
      'is a generated column',
    ],
  ])('is refused where the index column is %s', (_name, sql, text) => {
    expect(refused(sql, { model: BOUND }).message).toContain(`t.phone_index ${text}`);
    expect(refused(sql, { model: BOUND }).code).toBe('ERR_COLUMN_UNSUITABLE');
    if (_name !== 'generated') expect(() => sweptTable(sql, { model: BOUND, kind: 'rotate' })).not.toThrow();
  });

  it('takes bytes into any column but one of a strict table that keeps none', () => {
    expect(contextFor('encrypt', boundSql('person TEXT, phone TEXT, phone_index TEXT'))[0]).toEqual(['phone']);
    const strict = (type: string) => `${boundSql(`person TEXT, phone ${type}, phone_index TEXT`)} STRICT`;
    for (const type of ['BLOB', 'ANY']) expect(contextFor('encrypt', strict(type))[0]).toEqual(['phone']);
    expect(refused(strict('TEXT'), { model: BOUND })).toEqual({
      code: 'ERR_COLUMN_UNSUITABLE',
      message: 'The declaration does not fit: t.phone has the type TEXT, which does not keep bytes; make it BLOB.',
    });
  });

  it('minds triggers on the columns that the run writes alone', () => {
    const trigger = (column: string) => `${fits}; CREATE TRIGGER g UPDATE OF ${column} ON t BEGIN SELECT 1; END`;
    expect(refused(trigger('phone_index'), { model: BOUND, kind: 'index' }).code).toBe('ERR_TABLE_TRIGGERS');
    expect(sweptTable(trigger('phone'), { model: BOUND, kind: 'index' })).toBeDefined();
    expect(sweptTable(trigger('phone_index'), { model: BOUND, kind: 'rotate' })).toBeDefined();
    expect(sweptTable(trigger('person'), { model: BOUND, kind: 'encrypt' })).toBeDefined();
  });

  it('cannot have a key column for its index', () => {
    const declared = (index: string) =>
      defineModel({
        t: {
          primaryKey: 'id',
          rows: 1_000_000,
          columns: { phone: encrypted(codecs.string(), { distinct: 1_000_000, commonest: 1e-6 }) },
          indexes: { [index]: blindIndex('phone', { bits: 17 }) },
        },
      });
    expect(refusalOf(() => declared('id'))).toEqual({
      code: 'ERR_CONTEXT_ENCRYPTED',
      message: 'The model has 1 mistake(s): t.id: a column of the primary key cannot be an index.',
    });
    // SQLite does not mind the case of names, and the model does.
    const sql = 'CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL, phone TEXT)';
    expect(refused(sql, { model: declared('ID') as Model })).toEqual({
      code: 'ERR_COLUMN_UNSUITABLE',
      message: 'The declaration does not fit: t.ID stands in a UNIQUE key.',
    });
  });
});
