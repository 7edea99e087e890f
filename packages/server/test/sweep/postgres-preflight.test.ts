import { blindIndex, codecs, defineModel, encrypted, encryptedString, type Model } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import type { RunKind } from '../../src/store/store.js';
import { postgresPreflight } from '../../src/sweep/postgres-preflight.js';
import { PostgresSession } from '../../src/sweep/postgres-session.js';
import { rejectionOf } from '../refusal.js';
import { withPostgresDatabase } from '../with-postgres-database.ts';

interface Declared {
  readonly table?: string;
  readonly columns?: readonly string[];
  readonly primaryKey?: string | readonly string[];
  readonly length?: number;
  readonly kind?: RunKind;
  readonly allowTriggers?: boolean;
  readonly model?: Model;
  /** Another user to connect as. */
  readonly as?: string;
}

function preflight(sql: string, declared: Declared = {}) {
  const {
    table = 't',
    columns = ['phone'],
    primaryKey = 'id',
    length,
    kind = 'encrypt',
    allowTriggers = false,
  } = declared;
  const column = encryptedString(length === undefined ? {} : { length });
  const model =
    declared.model ??
    (defineModel({
      [table]: { primaryKey, columns: Object.fromEntries(columns.map((name) => [name, column])) },
    }) as Model);
  return withPostgresDatabase(sql, async ({ url }) => {
    const given = new URL(url);
    if (declared.as) [given.username, given.password] = [declared.as, declared.as];
    const session = await PostgresSession.open({ connectionString: given.href, name: 'The database', readOnly: true });
    try {
      return await postgresPreflight(session, model, { kind, allowTriggers, serviceSchema: 'fieldseal' });
    } finally {
      await session.close();
    }
  });
}

const swept = async (sql: string, declared?: Declared) => (await preflight(sql, declared)).tables[0];
const refused = (sql: string, declared?: Declared) => rejectionOf(() => preflight(sql, declared));

async function unsuitable(sql: string, text: string, declared?: Declared): Promise<void> {
  expect(await refused(sql, declared)).toEqual({
    code: 'ERR_COLUMN_UNSUITABLE',
    message: `The declaration does not fit: t.phone ${text}.`,
  });
}

const TABLE = 'CREATE TABLE t (id int PRIMARY KEY, name text, phone text);';

describe('a column is refused', () => {
  it.each([
    [
      'in a foreign key',
      'CREATE TABLE p (x text UNIQUE); CREATE TABLE t (id int PRIMARY KEY, phone text REFERENCES p (x))',
      'stands in a foreign key',
    ],
    [
      'in a foreign key of several columns',
      `CREATE TABLE p (a text, b text, PRIMARY KEY (a, b));
       CREATE TABLE t (id int PRIMARY KEY, a text, phone text, FOREIGN KEY (a, phone) REFERENCES p)`,
      'stands in a foreign key',
    ],
    ['in a UNIQUE key', `${TABLE} ALTER TABLE t ADD UNIQUE (phone)`, 'stands in a UNIQUE key'],
    ['in a UNIQUE key of several columns', `${TABLE} ALTER TABLE t ADD UNIQUE (name, phone)`, 'stands in a UNIQUE key'],
    ['in a partial unique index', `${TABLE} CREATE UNIQUE INDEX ON t (phone) WHERE id > 1`, 'stands in a UNIQUE key'],
    [
      'in an EXCLUDE constraint',
      `${TABLE} ALTER TABLE t ADD EXCLUDE USING btree (phone WITH =)`,
      'stands in an EXCLUDE constraint',
    ],
    [
      'in a CHECK constraint of another column',
      "CREATE TABLE t (id int PRIMARY KEY, phone text, a text CHECK (a <> '' OR length(phone) > 1))",
      'stands in a CHECK constraint',
    ],
    [
      'in a CHECK constraint that is not valid yet',
      `${TABLE} ALTER TABLE t ADD CHECK (phone <> '') NOT VALID`,
      'stands in a CHECK constraint',
    ],
    [
      'that is generated',
      "CREATE TABLE t (id int PRIMARY KEY, a text, phone text GENERATED ALWAYS AS ('+' || a) STORED)",
      'is a generated column',
    ],
    [
      'that feeds a generated one',
      'CREATE TABLE t (id int PRIMARY KEY, phone text, a text GENERATED ALWAYS AS (upper(phone)) STORED)',
      'feeds a generated column',
    ],
    [
      'in an expression of an index',
      `${TABLE} CREATE INDEX i ON t (id, lower(phone))`,
      'stands in an expression or condition of the index i',
    ],
    [
      'in the condition of an index',
      `${TABLE} CREATE UNIQUE INDEX i ON t (name) WHERE phone <> ''`,
      'stands in an expression or condition of the index i',
    ],
    ...['integer', 'character(20)', 'bytea', 'jsonb', 'text[]', 'name'].map((type) => [
      `of the type ${type}`,
      `CREATE TABLE t (id int PRIMARY KEY, phone ${type})`,
      `has the type ${type}, which does not keep text as it is; make it text`,
    ]),
    [
      'of a domain',
      `CREATE DOMAIN phone_text AS text; CREATE TABLE t (id int PRIMARY KEY, phone phone_text)`,
      'has the type phone_text, which does not keep text as it is; make it text',
    ],
  ] as [string, string, string][])('%s', (_fact, sql, text) => unsuitable(sql, text));

  it('that another table points at, which takes a UNIQUE key too', async () => {
    const sql = `${TABLE} ALTER TABLE t ADD UNIQUE (phone); CREATE TABLE c (x text REFERENCES t (phone))`;
    await unsuitable(sql, 'stands in a foreign key; t.phone stands in a UNIQUE key');
  });

  it('in the partition key of its table, plain or in an expression', async () => {
    for (const key of ['LIST (phone)', 'HASH (lower(phone))']) {
      const sql = `CREATE TABLE t (id int NOT NULL, phone text) PARTITION BY ${key}`;
      await unsuitable(sql, 'stands in the partition key');
    }
  });
});

describe('a column is not refused', () => {
  it.each([
    ['a plain index', `${TABLE} CREATE INDEX ON t (phone)`],
    ['a default', "CREATE TABLE t (id int PRIMARY KEY, phone text DEFAULT 'phone')"],
    ['NOT NULL', 'CREATE TABLE t (id int PRIMARY KEY, phone text NOT NULL)'],
    ['the payload of a unique index', `${TABLE} CREATE UNIQUE INDEX ON t (name) INCLUDE (phone)`],
    [
      'a generated column beside it',
      'CREATE TABLE t (id int PRIMARY KEY, phone text, a int GENERATED ALWAYS AS (id) STORED)',
    ],
    ['a varchar without a length', 'CREATE TABLE t (id int PRIMARY KEY, phone varchar)'],
  ])('because of %s', async (_fact, sql) => {
    expect(await swept(sql)).toMatchObject({ name: 't', sqlName: '"public"."t"', keyColumns: ['id'] });
  });
});

describe('the width of a varchar', () => {
  const table = (width: number) => `CREATE TABLE t (id int PRIMARY KEY, phone varchar(${width}));`;
  const tooShort = (width: number, needed: number) =>
    `has the type character varying(${width}), too short for tokens of up to ${needed} characters; ` +
    'ALTER TABLE "public"."t" ALTER COLUMN "phone" TYPE text mends that';

  it('has to take the tokens of the declared length, at four bytes a character', async () => {
    // 20 code points, 80 bytes, 96 of ciphertext, 153 of token.
    await unsuitable(table(203), tooShort(203, 204), { length: 20 });
    expect(await swept(table(204), { length: 20 })).toBeDefined();
    await unsuitable(table(203), tooShort(203, 204), { length: 20, kind: 'rotate' });
  });

  it('has to take the tokens of the longest value where no length is declared; those it holds are no matter', async () => {
    const token = `gAAAAA${'x'.repeat(114)}`;
    const sql = `${table(130)} INSERT INTO t VALUES (1, '${token}'), (2, repeat('ä', 16)), (3, NULL)`;
    await unsuitable(sql, tooShort(130, 140));
    expect(await swept(sql.replace("repeat('ä', 16)", "repeat('ä', 15)"))).toBeDefined();
    await unsuitable(table(99), tooShort(99, 100));
    expect(await swept(sql, { kind: 'rotate' })).toBeDefined();
  });

  it.each(['decrypt', 'verify'] as const)('does not matter to %s', async (kind) => {
    expect(await swept(table(10), { length: 20, kind })).toBeDefined();
  });
});

describe('triggers', () => {
  const FUNCTION = `CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';`;
  const trigger = (event: string) =>
    `${TABLE} ${FUNCTION} CREATE TRIGGER "copy it" BEFORE ${event} ON t FOR EACH ROW EXECUTE FUNCTION f();`;

  it.each(['UPDATE', 'INSERT OR UPDATE OF phone, name'])('on %s are refused until they are allowed', async (event) => {
    expect(await refused(trigger(event))).toEqual({
      code: 'ERR_TABLE_TRIGGERS',
      message:
        'Triggers run when a swept column is updated, and may copy or change it (t: copy it); look at them, then allow them with --allow-triggers.',
    });
    expect(await preflight(trigger(event), { allowTriggers: true })).toMatchObject({ triggers: ['t: copy it'] });
  });

  it('that do not fire on an update of the column, or are switched off, do not matter', async () => {
    for (const sql of [
      trigger('UPDATE OF name'),
      trigger('INSERT OR DELETE'),
      `${trigger('UPDATE')} ALTER TABLE t DISABLE TRIGGER ALL`,
    ]) {
      expect((await preflight(sql)).triggers).toEqual([]);
    }
  });

  it('are listed with the rules that stand in for an update', async () => {
    const sql = `${TABLE} CREATE RULE quiet AS ON UPDATE TO t DO ALSO NOTIFY changed`;
    expect((await refused(sql)).message).toContain('(t: quiet)');
  });
});

describe('the key of a table', () => {
  it('is its primary key, in its order and with its types', async () => {
    const sql =
      'CREATE TABLE t (a timestamptz, b uuid, c varchar(9), n smallint, phone text, PRIMARY KEY (b, n, a, c))';
    expect(await swept(sql, { primaryKey: ['a', 'b', 'c', 'n'] })).toMatchObject({
      keyColumns: ['b', 'n', 'a', 'c'],
      keys: [
        { column: 'b', castType: 'uuid', isInteger: false },
        { column: 'n', castType: 'smallint', isInteger: true },
        { column: 'a', castType: 'timestamp with time zone', isInteger: false },
        { column: 'c', castType: 'character varying', isInteger: false },
      ],
    });
  });

  it('is the declared one of the NOT NULL unique keys where there is no primary key', async () => {
    const sql = 'CREATE TABLE t (id int NOT NULL UNIQUE, number text NOT NULL UNIQUE, phone text)';
    expect((await swept(sql, { primaryKey: 'number' }))?.keyColumns).toEqual(['number']);
  });

  it.each([
    ['there is none', 'CREATE TABLE t (id int, phone text)'],
    ['the unique one may be NULL', 'CREATE TABLE t (id int UNIQUE, phone text)'],
    [
      'the unique one is partial',
      'CREATE TABLE t (id int NOT NULL, phone text); CREATE UNIQUE INDEX ON t (id) WHERE id > 1',
    ],
    [
      'the unique one is an expression',
      'CREATE TABLE t (id int NOT NULL, phone text); CREATE UNIQUE INDEX ON t (abs(id))',
    ],
    [
      'the unique one compares in another way than its column',
      `CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
       CREATE TABLE t (id text COLLATE nocase NOT NULL, phone text); CREATE UNIQUE INDEX ON t (id COLLATE "C")`,
    ],
  ])('has to exist: %s', async (_fact, sql) => {
    expect(await refused(sql)).toEqual({
      code: 'ERR_TABLE_NO_KEY',
      message:
        'The declaration does not fit: t has no primary key, and no NOT NULL unique key that is not swept itself; add one.',
    });
  });

  it('has to be the one that is declared', async () => {
    const sql = 'CREATE TABLE t (id int PRIMARY KEY, number text NOT NULL UNIQUE, phone text)';
    expect(await refused(sql, { primaryKey: 'number' })).toEqual({
      code: 'ERR_TABLE_NO_KEY',
      message: 'The declaration does not fit: t: primaryKey is declared as number, but it is id.',
    });
  });
});

describe('a declared name', () => {
  const columns = '(id int PRIMARY KEY, phone text)';

  it.each([
    ['t', '"public"."t"'],
    ['public.t', '"public"."t"'],
    ['crm.t', '"crm"."t"'],
    ['crm.Odd "Table"', '"crm"."Odd ""Table"""'],
    ['"My.Schema"."a.b"', '"My.Schema"."a.b"'],
    ['odd name; -- "', '"public"."odd name; -- """'],
  ])('%s finds its table', async (table, sqlName) => {
    const sql = `CREATE SCHEMA crm; CREATE SCHEMA "My.Schema"; CREATE TABLE t ${columns}; CREATE TABLE crm.t ${columns};
      CREATE TABLE crm."Odd ""Table""" ${columns}; CREATE TABLE "My.Schema"."a.b" ${columns}; CREATE TABLE "odd name; -- """ ${columns}`;
    const declared = table === 'crm.Odd "Table"' ? 'crm."Odd ""Table"""' : table;
    expect(await swept(sql, { table: declared })).toMatchObject({ name: declared, sqlName });
  });

  it('goes by the search_path, and never to the service’s own tables', async () => {
    const sql = `CREATE SCHEMA fieldseal; CREATE SCHEMA crm; CREATE TABLE fieldseal.audit_logs ${columns};
      CREATE TABLE fieldseal.t ${columns}; CREATE TABLE crm.t ${columns}; CREATE TABLE t ${columns};
      DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = fieldseal, crm, public', current_database()); END $$`;
    expect((await swept(sql))?.sqlName).toBe('"crm"."t"');
    for (const table of ['audit_logs', 'fieldseal.audit_logs']) {
      expect(await refused(sql, { table })).toEqual({
        code: 'ERR_TABLE_NOT_FOUND',
        message: `The declaration does not fit: the table ${table} is not in the database.`,
      });
    }
  });

  it('is refused for a view, and twice for one table', async () => {
    expect(await refused(`CREATE TABLE u ${columns}; CREATE VIEW t AS SELECT * FROM u`)).toEqual({
      code: 'ERR_TABLE_NOT_FOUND',
      message: 'The declaration does not fit: t is a view, not a table.',
    });
    const declaration = { primaryKey: 'id', columns: { phone: encryptedString() } };
    const model = defineModel({ t: declaration, 'public.t': declaration }) as Model;
    expect(await refused(TABLE, { model })).toEqual({
      code: 'ERR_MODEL_INVALID',
      message: 'The declaration does not fit: t and public.t are the same table, "public"."t".',
    });
  });
});

describe('a partitioned table', () => {
  const PARTITIONED = `
    CREATE TABLE t (id bigint, region text, phone text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
    CREATE TABLE t_eu PARTITION OF t FOR VALUES IN ('eu');
    CREATE TABLE t_us PARTITION OF t FOR VALUES IN ('us') PARTITION BY HASH (id);
    CREATE SCHEMA cold; CREATE TABLE cold.t_us_0 PARTITION OF t_us FOR VALUES WITH (MODULUS 1, REMAINDER 0);`;
  const primaryKey = ['id', 'region'];

  it('is swept partition by partition', async () => {
    const { tables } = await preflight(PARTITIONED, { primaryKey });
    expect(tables.map(({ name, sqlName }) => [name, sqlName])).toEqual([
      ['cold.t_us_0', '"cold"."t_us_0"'],
      ['t_eu', '"public"."t_eu"'],
    ]);
  });

  it('is refused with what stands against a partition', async () => {
    expect(await refused(`${PARTITIONED} CREATE INDEX i ON t_eu (lower(phone))`, { primaryKey })).toEqual({
      code: 'ERR_COLUMN_UNSUITABLE',
      message: 'The declaration does not fit: t_eu.phone stands in an expression or condition of the index i.',
    });
    const foreign = `${PARTITIONED} CREATE EXTENSION postgres_fdw; CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw;
      CREATE TABLE u (id bigint, region text, phone text) PARTITION BY LIST (region);
      CREATE FOREIGN TABLE far PARTITION OF u FOR VALUES IN ('x') SERVER s`;
    expect(await refused(foreign, { table: 'u', primaryKey })).toEqual({
      code: 'ERR_TABLE_NOT_FOUND',
      message:
        'The declaration does not fit: u has the partition far, which is a foreign table and not swept; detach it.',
    });
  });

  it('is not the same as a table that others inherit from, which is refused', async () => {
    expect(await refused(`${TABLE} CREATE TABLE heir () INHERITS (t)`)).toEqual({
      code: 'ERR_TABLE_NO_KEY',
      message:
        'The declaration does not fit: t is inherited by heir, whose rows its key does not tell apart; make them partitions or tables of their own.',
    });
  });
});

it('row security that hides rows is refused', async () => {
  const sql = `${TABLE} ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON t USING (id < 5);
    DO $$ BEGIN CREATE ROLE reader LOGIN PASSWORD 'reader'; EXCEPTION WHEN duplicate_object THEN END $$;
    GRANT ALL ON t TO reader`;
  await expect(swept(sql)).resolves.toBeDefined();
  expect(await refused(sql, { as: 'reader' })).toEqual({
    code: 'ERR_COLUMN_UNSUITABLE',
    message:
      'The declaration does not fit: t shows the user of DATABASE_URL only some of its rows (row security); use a role with BYPASSRLS.',
  });
});

it('a declaration is refused with every objection at once', async () => {
  const sql = `CREATE TABLE a (id int PRIMARY KEY, phone text UNIQUE CHECK (phone <> ''), fax int);
    CREATE TABLE b (phone text); CREATE TABLE c (id int PRIMARY KEY, phone text)`;
  const column = { phone: encryptedString() };
  const model = defineModel({
    a: { primaryKey: 'id', columns: { ...column, fax: encryptedString() } },
    b: { primaryKey: 'phone2', columns: column },
    c: { primaryKey: 'id', columns: column },
    d: { primaryKey: 'id', columns: column },
  }) as Model;
  expect(await refused(sql, { model })).toEqual({
    code: 'ERR_COLUMN_UNSUITABLE',
    message:
      'The declaration does not fit: a.phone stands in a CHECK constraint; a.phone stands in a UNIQUE key; ' +
      'a.fax has the type integer, which does not keep text as it is; make it text; b.phone2 is not in the database; ' +
      'the table d is not in the database.',
  });
});

/** One column bound to everything that there is, with its index. */
const BOUND_TABLE = {
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
};
const BOUND = defineModel({ t: BOUND_TABLE }) as Model;
const boundSql = ({ table = 't', id = 'int', org = 'text', person = 'text', phone = 'bytea', index = 'text' } = {}) =>
  `CREATE TABLE ${table} (id ${id}, org ${org}, person ${person}, phone ${phone}, phone_index ${index}, PRIMARY KEY (org, id))`;

describe('a column with context and an index', () => {
  it('is read with what it is bound to, and with its index by those who look after that', async () => {
    const kinds = await Promise.all(
      (['encrypt', 'rotate', 'index'] as const).map((kind) => swept(boundSql(), { model: BOUND, kind })),
    );
    expect(kinds.map((table) => [table?.indexes?.map(({ column }) => column), table?.context])).toEqual([
      [['phone_index'], ['person']],
      [[], ['person']],
      [['phone_index'], ['person']],
    ]);
    expect(kinds[2]).toMatchObject({ indexesOnly: true });
  });

  it('is refused without the columns that it needs, each told once', async () => {
    expect(await refused('CREATE TABLE t (phone bytea)', { model: BOUND })).toEqual({
      code: 'ERR_COLUMN_NOT_FOUND',
      message:
        'The declaration does not fit: t.org is not in the database; t.id is not in the database; ' +
        't.phone_index is not in the database; t.person is not in the database.',
    });
  });

  it('is refused where its index, or its bytes, do not fit into their column', async () => {
    const sql = [
      boundSql({ table: 't0', index: 'text UNIQUE' }),
      boundSql({ table: 't1', index: 'bytea' }),
      boundSql({ table: 't2', index: 'char(6)' }),
      boundSql({ table: 't3', index: 'varchar(5)' }),
      boundSql({ table: 't4', index: 'varchar(6)' }),
      boundSql({ table: 't5', phone: 'text' }),
      boundSql({ table: 't6', phone: 'varchar(1)' }),
    ].join('; ');
    const model = defineModel(Object.fromEntries([0, 1, 2, 3, 4, 5, 6].map((i) => [`t${i}`, BOUND_TABLE]))) as Model;
    const bytes = [
      't5.phone has the type text, and is declared to be stored as bytes; make it bytea',
      't6.phone has the type character varying(1), and is declared to be stored as bytes; make it bytea',
    ];
    expect(await refused(sql, { model, kind: 'index' })).toEqual({
      code: 'ERR_COLUMN_UNSUITABLE',
      message: `The declaration does not fit: ${[
        't0.phone_index stands in a UNIQUE key',
        't1.phone_index has the type bytea, which does not keep text as it is; make it text',
        't2.phone_index has the type character(6), which does not keep text as it is; make it text',
        't3.phone_index has the type character varying(5), too short for index values of 6 characters',
        ...bytes,
      ].join('; ')}.`,
    });
    // A rotation does not touch indexes.
    expect((await refused(sql, { model, kind: 'rotate' })).message).toBe(
      `The declaration does not fit: ${bytes.join('; ')}.`,
    );
  });

  /** A table for each type, whose key, tenant and subject are of it. */
  const ofTypes = (types: readonly string[]) => ({
    sql: types.map((type, i) => boundSql({ table: `t${i}`, id: type, org: type, person: type })).join('; '),
    model: defineModel(Object.fromEntries(types.map((_, i) => [`t${i}`, BOUND_TABLE]))) as Model,
  });

  it('is not bound to a key, tenant or subject that applications do not read as its text', async () => {
    const types = ['character(5)', 'date', 'timestamp with time zone', 'boolean', 'double precision', 'inet'];
    const more = ['jsonb', 'integer[]', 'interval', 'money', 'mybytes'];
    const { sql, model } = ofTypes([...types, ...more]);
    const objections = (column: string) =>
      [...types, ...more].map(
        (type, i) =>
          `t${i}.${column} has the type ${type}, to which no value can be bound: applications read it as something else than its text; make it text, uuid or a whole number`,
      );
    const all = [...types, ...more].flatMap((_, i) => ['org', 'id', 'person'].map((column) => objections(column)[i]));
    const given = `CREATE DOMAIN mybytes AS bytea; ${sql}`;
    expect(await refused(given, { model })).toEqual({
      code: 'ERR_COLUMN_UNSUITABLE',
      message: `The declaration does not fit: ${all.join('; ')}.`,
    });
    // What opens already may be rotated all the same.
    await expect(swept(given, { model, kind: 'rotate' })).resolves.toBeDefined();
  });

  it('is bound to a key, tenant or subject that they do', async () => {
    const types = [
      'smallint',
      'int',
      'bigint',
      'numeric',
      'text',
      'varchar(5)',
      'uuid',
      'name',
      'mood',
      'citext',
      'mytext',
    ];
    const { sql, model } = ofTypes(types);
    const given = `CREATE TYPE mood AS ENUM ('ok'); CREATE DOMAIN mytext AS text; CREATE EXTENSION citext; ${sql}`;
    expect((await preflight(given, { model })).tables).toHaveLength(types.length);
  });

  it('is bound to a key of bytes, and not to a tenant or subject of bytes', async () => {
    const { message } = await refused(boundSql({ id: 'bytea', org: 'bytea', person: 'bytea' }), { model: BOUND });
    expect([...message.matchAll(/t\.(\w+) has/g)].map(([, column]) => column)).toEqual(['org', 'person']);
  });

  it('bound to its column alone has no key to mind', async () => {
    const model = defineModel({
      t: { primaryKey: 'id', columns: { phone: encrypted(codecs.string(), { scheme: 'xaes' }) } },
    }) as Model;
    await expect(swept('CREATE TABLE t (id date PRIMARY KEY, phone text)', { model })).resolves.toBeDefined();
  });

  it('is checked in every partition', async () => {
    const sql = `CREATE TABLE t (id int, org text, person text, phone bytea, phone_index varchar(5), PRIMARY KEY (org, id)) PARTITION BY LIST (org);
      CREATE TABLE t_a PARTITION OF t FOR VALUES IN ('a')`;
    expect((await refused(sql, { model: BOUND })).message).toBe(
      'The declaration does not fit: t.phone_index has the type character varying(5), too short for index values of 6 characters.',
    );
  });
});
