/** What is checked of a declaration of tables and columns: every mistake, each with its place and its code. */
import { describe, expect, it } from 'vitest';
import { type ErrorCode, FieldsealError, type Mistake } from '../../src/errors.js';
import * as codecs from '../../src/fields/codecs.js';
import { encrypted } from '../../src/fields/encrypted.js';
import { encryptedString } from '../../src/fields/encrypted-string.js';
import { blindIndex } from '../../src/fields/index-declaration.js';
import { mask } from '../../src/fields/mask.js';
import { defineModel } from '../../src/fields/model.js';
import { assertModel } from '../../src/fields/model-check.js';

/** The FieldsealError of a declaration that is refused. */
function refusedModel(tables: Record<string, unknown>): FieldsealError {
  try {
    defineModel(tables as never);
  } catch (error) {
    if (error instanceof FieldsealError) return error;
  }
  throw new Error('the model was not refused');
}

/** Checks that a declaration of the table `users` has exactly these mistakes, under their one code. */
function expectMistakes(
  users: Record<string, unknown>,
  ...mistakes: [string | null, string, (ErrorCode | undefined)?][]
): void {
  const { code, message, mistakes: found } = refusedModel({ users });
  const expected = mistakes.map(
    ([column, text, own = 'ERR_MODEL_INVALID']): Mistake => ({ code: own, table: 'users', column, text }),
  );
  expect(found).toEqual(expected);
  const codes = new Set(expected.map((mistake) => mistake.code));
  expect(code).toBe(codes.size === 1 ? expected[0]?.code : 'ERR_MODEL_INVALID');
  const listed = expected.map(({ column, text }) => `users${column === null ? '' : `.${column}`}: ${text}`);
  expect(message).toBe(`The model has ${expected.length} mistake(s): ${listed.join('; ')}.`);
}

describe('the context of a table', () => {
  const xaes = encryptedString({ scheme: 'xaes' });
  const personal = encryptedString({ scheme: 'xaes-subject' });

  it('is declared beside its columns', () => {
    const users = { primaryKey: 'id', tenant: 'org', subject: 'id', columns: { email: xaes, note: personal } };
    expect(defineModel({ users }).tables.users).toBe(users);
  });

  it.each(['tenant', 'subject'] as const)('has a %s that is the name of a column', (kind) => {
    for (const name of ['', 5, null, ['org'], 'or\0g']) {
      expectMistakes({ primaryKey: 'id', [kind]: name, columns: { email: xaes } }, [
        null,
        `${kind} is not the name of a column`,
      ]);
    }
  });

  it.each(['tenant', 'subject'] as const)('has a %s that is neither encrypted nor an index', (kind) => {
    const email = encryptedString({ distinct: 900_000, commonest: 1e-6 });
    const users = { primaryKey: 'id', rows: 1_000_000, columns: { email } };
    const mistake = `the ${kind} is context, and cannot be encrypted`;
    expectMistakes({ ...users, [kind]: 'email' }, ['email', mistake, 'ERR_CONTEXT_ENCRYPTED']);
    const indexes = { email_index: blindIndex('email', { bits: 15 }) };
    expectMistakes({ ...users, indexes, [kind]: 'email_index' }, ['email_index', mistake, 'ERR_CONTEXT_ENCRYPTED']);
  });

  it('has a primary key of which no part is encrypted', () => {
    expectMistakes({ primaryKey: ['org', 'email'], columns: { email: xaes } }, [
      'email',
      'a column of the primary key cannot be encrypted',
      'ERR_CONTEXT_ENCRYPTED',
    ]);
  });

  it('names the subject of a column that is bound to one, also while it is only read', () => {
    for (const email of [personal, encryptedString({ scheme: 'xaes', alsoReads: ['xaes-subject'] })]) {
      expectMistakes({ primaryKey: 'id', columns: { email } }, [
        'email',
        'the scheme xaes-subject needs the subject of the table',
      ]);
    }
  });
});

describe('the declaration of a column', () => {
  const valid = encryptedString({ scheme: 'xaes' });
  const expectMistake = (changes: Record<string, unknown>, text: string, code?: ErrorCode) =>
    expectMistakes({ primaryKey: 'id', columns: { email: { ...valid, ...changes } } }, ['email', text, code]);

  it('names schemes that exist, one that writes', () => {
    const none = 'scheme names none that writes (there are fernet, xaes, xaes-subject)';
    for (const scheme of ['plaintext', 'aes', '', 'toString']) expectMistake({ scheme }, none, 'ERR_SCHEME_UNKNOWN');
    const unknown = 'alsoReads names a scheme that does not exist (there are fernet, xaes, xaes-subject, plaintext)';
    for (const name of ['aes', 5, null]) expectMistake({ alsoReads: ['fernet', name] }, unknown, 'ERR_SCHEME_UNKNOWN');
  });

  it('has a codec', () => {
    const undeclared = 'declare it with encrypted(…) or encryptedString(…)';
    for (const codec of [undefined, null, 'string', {}, { encode: () => '' }, { decode: () => '' }]) {
      expectMistake({ codec }, undeclared);
    }
    expectMistake({ scheme: undefined }, undeclared);
  });

  it('is bound to its column or its row, the row under a scheme that binds', () => {
    for (const boundTo of ['table', undefined]) expectMistake({ boundTo }, "boundTo is 'column' or 'row'");
    expectMistake(
      { scheme: 'fernet', boundTo: 'row', alsoReads: ['plaintext'] },
      "boundTo: 'row' needs the scheme xaes: a Fernet token is bound to no place",
    );
    const becoming = encryptedString({ boundTo: 'row', alsoReads: ['xaes'] });
    expect(() => defineModel({ users: { primaryKey: 'id', columns: { email: becoming } } })).not.toThrow();
  });

  it('is stored as text or as bytes', () => {
    for (const storage of ['blob', undefined]) expectMistake({ storage }, "storage is 'text' or 'bytes'");
  });

  it('has a contextId of a table and a column', () => {
    for (const contextId of ['', 'email', '.email', 'users.', '.', 5, null, 'users.\0']) {
      expectMistake({ contextId }, "contextId is a name such as 'table.column'");
    }
    const email = { ...valid, contextId: 'app.users.email' };
    expect(() => defineModel({ users: { primaryKey: 'id', columns: { email } } })).not.toThrow();
  });

  it('has a mask that is a function', () => {
    expectMistake({ mask: 'email' }, 'mask is not a function');
    const email = { ...valid, mask: mask('email') };
    expect(() => defineModel({ users: { primaryKey: 'id', columns: { email } } })).not.toThrow();
  });

  it('knows of its values what may be', () => {
    for (const distinct of [0, -1, 1.5, '5', Number.NaN, Number.POSITIVE_INFINITY, null]) {
      expectMistake({ distinct }, 'distinct is a whole number of values above 0');
    }
    for (const commonest of [0, -1, 1.01, '0.5', Number.NaN, null]) {
      expectMistake({ commonest }, 'commonest is a share above 0 and at most 1');
    }
    const email = { ...valid, distinct: 1, commonest: 1 };
    expect(() => defineModel({ users: { primaryKey: 'id', columns: { email } } })).not.toThrow();
  });
});

describe('the declaration of an index', () => {
  const facts = { distinct: 900_000, commonest: 1e-6 };
  const columns = {
    email: encryptedString(facts),
    born: encrypted(codecs.date(), facts),
    plan: encrypted(codecs.oneOf(['free', 'team']), { commonest: 0.9 }),
    note: encryptedString(),
  };
  const users = { primaryKey: 'id', rows: 1_000_000, columns };
  const withIndex = (index: unknown, changes = {}) => ({ ...users, indexes: { email_index: index }, ...changes });
  const index = blindIndex('email', { bits: 15 });
  const refuse = (declared: unknown, text: string, code?: ErrorCode) =>
    expectMistakes(withIndex(declared), ['email_index', text, code]);

  it('is taken when all is well', () => {
    const compound = blindIndex(['email', 'born'], { bits: 15, normalise: { email: ['trim'] } });
    for (const declared of [index, compound])
      expect(() => defineModel({ users: withIndex(declared) } as never)).not.toThrow();
    expect(() => defineModel({ users: { ...users, indexes: {} } })).not.toThrow();
  });

  it('is made with blindIndex, under a name', () => {
    for (const declared of [
      null,
      undefined,
      'email',
      {},
      { on: 'email' },
      { ...index, on: 'email' },
      { ...index, bits: '15' },
    ]) {
      refuse(declared, 'declare the index with blindIndex(…)');
    }
    refuse({ ...index, normalise: null }, 'declare the index with blindIndex(…)');
    expectMistakes({ ...users, indexes: { '': index } }, [null, 'an index needs the name of its column']);
  });

  it('is kept in a column of its own', () => {
    expectMistakes({ ...users, primaryKey: ['id', 'email_index'], indexes: { email_index: index } }, [
      'email_index',
      'a column of the primary key cannot be an index',
      'ERR_CONTEXT_ENCRYPTED',
    ]);
    expectMistakes({ ...users, indexes: { email: index } }, ['email', 'an encrypted column cannot hold its own index']);
    expectMistakes({ ...users, indexes: { note: index } }, ['note', 'an encrypted column cannot hold its own index']);
  });

  it('is made of declared columns, each once', () => {
    for (const on of [[], ['email', 'email']]) {
      refuse({ ...index, on, normalise: {} }, 'an index is made of one column or several, each once');
    }
    refuse(blindIndex('phone', { bits: 15 }), 'the index is made of phone, which is not declared');
  });

  it('normalises text of its own columns', () => {
    refuse(
      blindIndex('email', { bits: 15, normalise: { born: [] } }),
      'normalise names born, which the index is not made of',
    );
    refuse(
      blindIndex(['email', 'born'], { bits: 15, normalise: ['trim'] }),
      'only text is normalised, and born is not text',
    );
  });

  it('has a contextId of a table and a column, and facts that may be', () => {
    refuse({ ...index, contextId: 'email' }, "contextId is a name such as 'table.column'");
    const longest = 'the contextId of an index has at most 500 bytes';
    refuse({ ...index, contextId: `users.${'x'.repeat(495)}` }, longest);
    expectMistakes({ ...users, indexes: { ['ü'.repeat(248)]: index } }, ['ü'.repeat(248), longest]);
    for (const name of ['x'.repeat(494), 'ü'.repeat(247)]) {
      expect(() => defineModel({ users: { ...users, indexes: { [name]: index } } } as never)).not.toThrow();
    }
    refuse({ ...index, distinct: 0 }, 'distinct is a whole number of values above 0');
    refuse({ ...index, commonest: 2 }, 'commonest is a share above 0 and at most 1');
  });

  it('needs to know how many rows the table will have, and what its columns hold', () => {
    for (const rows of [undefined, 0, 1.5, '5']) {
      expectMistakes(withIndex(index, { rows }), [
        'email_index',
        'the index needs rows, how many rows the table will have',
      ]);
    }
    const unknown =
      'its index needs to know how many different values it has (distinct) and what share of rows has the most frequent one (commonest)';
    expectMistakes(withIndex(blindIndex('note', { bits: 15 })), ['note', unknown]);
    for (const email of [encryptedString({ distinct: 5 }), encryptedString({ commonest: 0.5 })]) {
      expectMistakes(withIndex(index, { columns: { email } }), ['email', unknown]);
    }
  });

  it('of a codec with few values knows their number by itself', () => {
    const { code, mistakes } = refusedModel({ users: withIndex(blindIndex('plan', { bits: 1 })) });
    expect(code).toBe('ERR_INDEX_UNSAFE');
    expect(mistakes?.map(({ column, text }) => [column, text])).toEqual([
      [
        'email_index',
        'No size of the index is safe: 1000000 rows, 2 different values, a value in 0.9 of them allow 0 bits, and fewer than 10 find too little; search by another column, and filter what is found after decrypting it',
      ],
      ['plan', 'its indexes take 1 bits together, and 0 would be safe; leave one out or make them shorter'],
    ]);
  });

  it('is neither longer than is safe nor shorter than is useful', () => {
    const known = '1000000 rows, 900000 different values, a value in 0.000001 of them allow 10 to 18; take 17';
    refuse(blindIndex('email', { bits: 9 }), `An index of 9 bits would find too little: ${known}`, 'ERR_INDEX_UNSAFE');
    for (const bits of [10, 18]) {
      expect(() => defineModel({ users: withIndex(blindIndex('email', { bits })) } as never)).not.toThrow();
    }
    const { code, mistakes } = refusedModel({ users: withIndex(blindIndex('email', { bits: 19 })) });
    expect(code).toBe('ERR_INDEX_UNSAFE');
    expect(mistakes?.map(({ text }) => text)).toEqual([
      `An index of 19 bits would tell too much: ${known}`,
      'its indexes take 19 bits together, and 18 would be safe; leave one out or make them shorter',
    ]);
    refuse(blindIndex('email', { bits: 12.5 }), `An index of 12.5 bits does not exist: ${known}`, 'ERR_INDEX_UNSAFE');
  });

  it('goes by its own facts where normalising leaves fewer values', () => {
    const coarse = (distinct: number) => blindIndex('email', { bits: 15, normalise: ['email-domain'], distinct });
    expect(() => defineModel({ users: withIndex(coarse(100_000)) } as never)).not.toThrow();
    expect(refusedModel({ users: withIndex(coarse(10_000)) }).code).toBe('ERR_INDEX_UNSAFE');
    const frequent = blindIndex('email', { bits: 15, commonest: 0.01 });
    expect(refusedModel({ users: withIndex(frequent) }).code).toBe('ERR_INDEX_UNSAFE');
  });

  it('over several columns has as many values as the richest, and none more frequent than in the rarest', () => {
    expect(() => defineModel({ users: withIndex(blindIndex(['email', 'plan'], { bits: 15 })) } as never)).toThrow(
      /users\.plan: its indexes take 15 bits together, and 0 would be safe/,
    );
  });

  it('shares the budget of its column with the others', () => {
    const two = (first: number, second: number) => ({
      ...users,
      indexes: { one: blindIndex('email', { bits: first }), two: blindIndex(['born', 'email'], { bits: second }) },
    });
    expectMistakes(two(10, 10), [
      'email',
      'its indexes take 20 bits together, and 18 would be safe; leave one out or make them shorter',
      'ERR_INDEX_UNSAFE',
    ]);
  });
});

describe('a contextId', () => {
  const model = (tables: Record<string, unknown>) => refusedModel(tables).mistakes;
  const at = (contextId?: string) => encryptedString({ scheme: 'xaes', ...(contextId !== undefined && { contextId }) });

  it('belongs to one column of the model only', () => {
    const tables = {
      users: { primaryKey: 'id', columns: { email: at(), mail: at('users.email') } },
      people: { primaryKey: 'id', columns: { email: at('users.email') } },
    };
    expect(model(tables)).toEqual([
      {
        code: 'ERR_MODEL_INVALID',
        table: 'users',
        column: 'mail',
        text: 'its contextId users.email is that of users.email too',
      },
      {
        code: 'ERR_MODEL_INVALID',
        table: 'people',
        column: 'email',
        text: 'its contextId users.email is that of users.mail too',
      },
    ]);
  });

  it('of dotted names that read alike is one and the same', () => {
    const tables = {
      a: { primaryKey: 'id', columns: { 'b.c': at() } },
      'a.b': { primaryKey: 'id', columns: { c: at() } },
    };
    expect(model(tables)?.map(({ text }) => text)).toEqual(['its contextId a.b.c is that of a.b.c too']);
  });

  it('belongs to one index only, and an index may be called as a column', () => {
    const facts = { distinct: 900_000, commonest: 1e-6 };
    const users = (one: string, two: string) => ({
      users: {
        primaryKey: 'id',
        rows: 1_000_000,
        columns: { email: encryptedString(facts), phone: encryptedString(facts) },
        indexes: {
          one: blindIndex('email', { bits: 15, contextId: one }),
          two: blindIndex('phone', { bits: 15, contextId: two }),
        },
      },
    });
    expect(model(users('users.x', 'users.x'))?.map(({ column }) => column)).toEqual(['two']);
    expect(() => defineModel(users('users.email', 'users.phone') as never)).not.toThrow();
  });

  it('may be exchanged between two columns: they are the names of old', () => {
    const columns = { email: at('users.phone'), phone: at('users.email') };
    expect(() => defineModel({ users: { primaryKey: 'id', columns } })).not.toThrow();
  });
});

describe('mistakes of several kinds', () => {
  it('are refused under the general code, each with its own beside it', () => {
    const { code, mistakes } = refusedModel({
      users: { primaryKey: 'id', columns: { email: { ...encryptedString(), scheme: 'aes', storage: 'blob' } } },
    });
    expect(code).toBe('ERR_MODEL_INVALID');
    expect(mistakes?.map((mistake) => mistake.code)).toEqual(['ERR_SCHEME_UNKNOWN', 'ERR_MODEL_INVALID']);
  });

  it('of one kind are refused under its code, in however many tables', () => {
    const users = { primaryKey: 'id', columns: { id: encryptedString() } };
    const { code, mistakes } = refusedModel({ users, people: users });
    expect([code, mistakes?.length]).toEqual(['ERR_CONTEXT_ENCRYPTED', 2]);
  });

  it('are listed with the model that is none at all as no list', () => {
    try {
      assertModel(null);
      expect.unreachable();
    } catch (error) {
      expect((error as FieldsealError).mistakes).toBeUndefined();
    }
  });
});

describe('the normalisers of an index made by hand', () => {
  it.each([
    ['a text in the place of a list', 'trim'],
    ['a name that does not exist', ['upper-case']],
  ])('are refused when the model is made: %s', (_name, steps) => {
    const email = encryptedString({ distinct: 900_000, commonest: 1e-6 });
    const index = { ...blindIndex('email', { bits: 12 }), normalise: { email: steps } };
    const names = 'lower-case, trim, nfkc, digits, last-four, email-domain';
    expectMistakes({ primaryKey: 'id', rows: 1_000_000, columns: { email }, indexes: { email_index: index } }, [
      'email_index',
      `email: normalise is a list of ${names} or functions`,
    ]);
  });
});
