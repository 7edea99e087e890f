import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load-config.js';
import { rejectionOf } from '../refusal.js';
import { configText } from '../with-project.js';

const VALID = configText("users: { primaryKey: 'id', columns: { phone: encryptedString() } }");
const NODE_MODULES = fileURLToPath(new URL('../../../../node_modules', import.meta.url));

async function withFiles<T>(files: Record<string, string>, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'fieldseal-config-'));
  try {
    await symlink(NODE_MODULES, join(folder, 'node_modules'));
    await mkdir(join(folder, 'sub'));
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const tablesOf = async (folder: string, file: string | null = null) =>
  Object.keys((await loadConfig(folder, file))?.model.tables);

describe('a configuration', () => {
  it.each(['fieldseal.config.ts', 'fieldseal.config.js', 'fieldseal.config.mts', 'fieldseal.config.mjs'])(
    'is found as %s',
    async (name) => {
      await withFiles({ [name]: VALID }, async (folder) => expect(await tablesOf(folder)).toEqual(['users']));
    },
  );

  it('is TypeScript that imports other files of the project', async () => {
    const schema = 'export interface Users { id: number; phone: string }\nexport const KEY = "id" as const;';
    const config = `import { defineConfig, defineModel, encryptedString } from 'fieldseal';
      import { KEY, type Users } from './sub/schema.ts';
      const model = defineModel<{ users: Users }>({ users: { primaryKey: KEY, columns: { phone: encryptedString() } } });
      export default defineConfig({ keys: 'env', model }) satisfies object;`;
    await withFiles({ 'sub/schema.ts': schema, 'fieldseal.config.ts': config }, async (folder) => {
      expect(await loadConfig(folder, null)).toMatchObject({
        keys: 'env',
        model: { tables: { users: { primaryKey: 'id' } } },
      });
    });
  });

  it('is the file that is named, relative to the folder', async () => {
    await withFiles({ 'fieldseal.config.js': 'throw 1', 'sub/other.ts': VALID }, async (folder) => {
      expect(await tablesOf(folder, 'sub/other.ts')).toEqual(['users']);
      expect(await tablesOf(folder, join(folder, 'sub/other.ts'))).toEqual(['users']);
    });
  });

  it('has to be there if it is named', async () => {
    await withFiles({}, async (folder) => {
      expect(await loadConfig(folder, null)).toBeNull();
      expect(await rejectionOf(() => loadConfig(folder, 'sub/none.ts'))).toEqual({
        code: 'ERR_CONFIG_NOT_FOUND',
        message: `There is no file ${join(folder, 'sub/none.ts')}.`,
      });
    });
  });

  it.each([
    ['does not parse', 'export default {', 'cannot be loaded: '],
    ['throws', "throw new Error('no such thing\\nsecond line')", 'cannot be loaded: no such thing'],
    ['throws something else', 'throw 1', 'cannot be loaded: it threw something that is not an Error'],
    ['imports what is not there', "import 'not-a-package'; export default {}", 'cannot be loaded: Cannot find '],
    ['exports nothing', '', 'keys must say where'],
    ['does not say where the keys are', VALID.replace("'stored'", 'undefined'), 'keys must say where'],
    ['says a third thing of its keys', VALID.replace("'stored'", "'vault'"), 'keys must say where'],
  ])('is refused when it %s', async (_name, text, message) => {
    await withFiles({ 'fieldseal.config.mjs': text }, async (folder) => {
      const refusal = await rejectionOf(() => loadConfig(folder, null));
      expect(refusal.code).toBe('ERR_CONFIG_INVALID');
      expect(refusal.message).toContain(
        `${join(folder, 'fieldseal.config.mjs')}${message.startsWith('keys') ? ': ' : ' '}${message}`,
      );
      expect(refusal.message).not.toContain('\n');
    });
  });

  it.each([
    ['has no model', "export default { keys: 'stored' }", 'The model is not one that defineModel(…) returned.'],
    [
      'encrypts a key',
      VALID.replace("'id'", "'phone'"),
      'The model has 1 mistake(s): users.phone: a column of the primary key cannot be encrypted.',
      'ERR_CONTEXT_ENCRYPTED',
    ],
    [
      'has several mistakes',
      configText("a: { columns: { b: encryptedString() } }, c: { primaryKey: 'id', columns: {} }"),
      'The model has 2 mistake(s): a: primaryKey is missing; c: columns is empty.',
    ],
  ])('is refused when it %s', async (_name, text, message, code = 'ERR_MODEL_INVALID') => {
    await withFiles({ 'fieldseal.config.mjs': text }, async (folder) => {
      expect(await rejectionOf(() => loadConfig(folder, null))).toEqual({ code, message });
    });
  });
});
