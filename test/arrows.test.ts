import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { findViolations, folderOf, importsOf, parseArrows } from './arrows.ts';

const root = new URL('../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');

function sourcesOf(packageName: string): [path: string, text: string][] {
  const folder = `packages/${packageName}/src`;
  return readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' })
    .map((name) => `${folder}/${name.replaceAll('\\', '/')}`)
    .filter((path) => path.endsWith('.ts'))
    .map((path) => [path, read(path)]);
}

const sources = new Map(['fieldseal', 'server'].flatMap(sourcesOf));
const arrows = parseArrows(read('ARCHITECTURE.md'));

describe('the source', () => {
  it('keeps to the arrows and the rules of src', () => {
    expect(findViolations(sources, arrows)).toEqual([]);
  });

  it.each(arrows.map(({ folder }) => folder))('has what the row %s speaks of', (folder) => {
    const [packageName, name] = folder.split('/');
    const place = `packages/${packageName}/src/${name}`;
    expect([place, `${place}.ts`].filter((path) => existsSync(new URL(path, root)))).toHaveLength(1);
  });

  it('needs no package at run time in the library', () => {
    const { dependencies, optionalDependencies } = JSON.parse(read('packages/fieldseal/package.json'));
    expect({ ...dependencies, ...optionalDependencies }).toEqual({});
  });

  it('declares every package that the server imports', () => {
    const { dependencies, peerDependencies } = JSON.parse(read('packages/server/package.json'));
    const declared = { ...dependencies, ...peerDependencies };
    // `typebox/value` belongs to the package typebox.
    const packageOf = (specifier: string) => /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
    const imported = Array.from(sources)
      .filter(([path]) => path.startsWith('packages/server/'))
      .flatMap(([path, text]) => importsOf(path, text).map(({ specifier }) => specifier))
      .filter((specifier) => !/^(\.|node:|\()/.test(specifier));
    expect(imported.filter((name) => !Object.hasOwn(declared, packageOf(name)))).toEqual([]);
  });
});

describe('the checker', () => {
  const table = [
    '| folder | may import | may use |',
    '| --- | --- | --- |',
    '| fieldseal/errors | – | – |',
    '| fieldseal/core | errors | `node:crypto`, `node:util` |',
    '| fieldseal/keys | core, errors | `timers` |',
    '| fieldseal/adapters | errors | no ORM |',
    '| fieldseal/index, fieldseal/encryption-service | all of the library but adapters | `process.env` |',
    '| server/store | fieldseal | `kysely`; `node:fs` |',
    '| server/main | all of server, fieldseal | `process.env` |',
  ].join('\n');
  const check = (path: string, text: string) =>
    findViolations(new Map([[`packages/${path}`, text]]), parseArrows(table)).map((line) =>
      line.replace(`packages/${path}: `, ''),
    );

  it.each<[fact: string, path: string, text: string]>([
    ['a lower folder', 'fieldseal/src/keys/keyring.ts', "import { a } from '../core/a.js';"],
    ['its own folder', 'fieldseal/src/keys/keyring.ts', "export * from './key.js';"],
    ['the library, from the server', 'server/src/store/a.ts', "import { Keyring } from 'fieldseal';"],
    ['a package that the row names', 'server/src/store/a.ts', "import { sql } from 'kysely/helpers/sqlite';"],
    ['types of any folder, to an adapter', 'fieldseal/src/adapters/a.ts', "import type { K } from '../keys/k.js';"],
    ['the environment, to main.ts', 'server/src/main.ts', 'run(process.env);'],
    ['the environment as a default', 'fieldseal/src/encryption-service.ts', 'function f(env = process.env) {}'],
    ['timers where the row has them', 'fieldseal/src/keys/keyring.ts', 'setInterval(() => {}, 1);'],
    ['a comment about process.env', 'fieldseal/src/core/a.ts', '/** Never process.env. */\nexport const a = 1;'],
    ['a variable that is called process', 'fieldseal/src/keys/a.ts', "const process = 'a'; use([process]);"],
  ])('permits %s', (_fact, path, text) => {
    expect(check(path, text)).toEqual([]);
  });

  it.each<[fact: string, path: string, text: string, violation: string]>([
    [
      'an import up the arrows',
      'fieldseal/src/core/a.ts',
      "import { K } from '../keys/k.js';",
      'fieldseal/core may not import fieldseal/keys',
    ],
    [
      'a type-only one',
      'fieldseal/src/core/a.ts',
      "import type { K } from '../keys/k.js';",
      'fieldseal/core may not import fieldseal/keys',
    ],
    [
      'a re-export',
      'fieldseal/src/core/a.ts',
      "export { K } from '../keys/k.js';",
      'fieldseal/core may not import fieldseal/keys',
    ],
    [
      'an import() of a type',
      'fieldseal/src/core/a.ts',
      "export type K = import('../keys/k.js').K;",
      'fieldseal/core may not import fieldseal/keys',
    ],
    ['a dynamic import', 'server/src/store/a.ts', "await import('pg');", 'server/store may not use pg'],
    ['a computed import', 'server/src/store/a.ts', 'await import(name);', 'server/store may not use (computed)'],
    ['a require', 'server/src/store/a.ts', "require('pg');", 'server/store may not use pg'],
    ['a package', 'fieldseal/src/adapters/a.ts', "import 'drizzle-orm';", 'fieldseal/adapters may not use drizzle-orm'],
    [
      'a type of a package',
      'fieldseal/src/adapters/a.ts',
      "import type { A } from 'pg';",
      'fieldseal/adapters may not use pg',
    ],
    ["a Node's module", 'fieldseal/src/core/a.ts', "import 'node:fs';", 'fieldseal/core may not use node:fs'],
    [
      'cryptography outside core',
      'server/src/main.ts',
      "import { hash } from 'node:crypto';",
      'imports node:crypto, which only fieldseal/core may',
    ],
    [
      'a sibling adapter',
      'fieldseal/src/adapters/a.ts',
      "import type { B } from './b.js';",
      'imports its sibling ./b.js',
    ],
    [
      'a way out of src',
      'server/src/main.ts',
      "import p from '../package.json';",
      'imports ../package.json, which is outside src',
    ],
    ['a folder without a row', 'server/src/extra/a.ts', '', 'the table has no row server/extra'],
    ['a timer', 'fieldseal/src/core/a.ts', 'setTimeout(f, 1);', 'fieldseal/core may not use setTimeout'],
    ['a request', 'fieldseal/src/core/a.ts', "fetch('https://a.example');", 'fieldseal/core may not use fetch'],
    ['a default export', 'server/src/main.ts', 'export default function f() {}', 'has a default export'],
    ['a renamed default export', 'server/src/main.ts', 'const a = 1; export { a as default };', 'has a default export'],
    ['a default export of a value', 'server/src/main.ts', 'export default 1;', 'has a default export'],
    ['a file too long', 'server/src/main.ts', 'a();\n'.repeat(401), 'has 401 lines; 400 is the most'],
    ['a vague file', 'server/src/store/sql-utils.ts', '', 'the name sql-utils.ts says nothing: utils'],
    ['work left over', 'server/src/main.ts', '// TODO: more', 'holds a TODO or FIXME'],
  ])('finds %s', (_fact, path, text, violation) => {
    expect(check(path, text)).toEqual([violation]);
  });

  const outside =
    'reads process.env, which only packages/server/src/main.ts and packages/fieldseal/src/encryption-service.ts and packages/fieldseal/src/core/batch.ts may';
  it.each(['use(process.env);', "use(process['env']);", 'const { env } = process;', 'use(globalThis.process.env);'])(
    'finds the environment read by %s',
    (text) => {
      expect(check('server/src/store/a.ts', text)).toEqual([outside]);
      const service = check('fieldseal/src/encryption-service.ts', text);
      expect(service).toEqual(['reads process.env other than as a default argument']);
    },
  );

  it('refuses a table with a folder that has no row', () => {
    const broken = table.replace('| errors | no ORM', '| fields | no ORM');
    expect(() => parseArrows(broken)).toThrow('fieldseal/adapters: the table has no row fieldseal/fields');
  });

  it('refuses a document without the table', () => {
    expect(() => parseArrows('# Nothing')).toThrow('the document has no table');
  });

  it('names folders as the table does', () => {
    expect(folderOf('packages/fieldseal/src/core/fernet.ts')).toBe('fieldseal/core');
    expect(folderOf('packages/server/src/sweep/queue/worker.ts')).toBe('server/sweep');
    expect(folderOf('packages/server/src/main.ts')).toBe('server/main');
    expect(folderOf('packages/server/package.json')).toBeNull();
  });
});
