/** Finds and loads `fieldseal.config.{ts,js,mts,mjs}`: the declaration is code, since codecs are functions. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { assertModel, type FieldsealConfig, FieldsealError, isFieldsealError } from 'fieldseal';

const NAMES = ['fieldseal.config.ts', 'fieldseal.config.js', 'fieldseal.config.mts', 'fieldseal.config.mjs'];

/**
 * Null: there is none in `folder`.
 * @param folder where to look
 * @param file a file to load instead, relative to `folder`
 * @throws FieldsealError `ERR_CONFIG_NOT_FOUND` when there is no `file`, `ERR_CONFIG_INVALID`, or what the file's own
 * `defineModel` throws
 */
export async function loadConfig(folder: string, file: string | null): Promise<FieldsealConfig | null> {
  const path = file === null ? NAMES.map((name) => join(folder, name)).find(existsSync) : resolve(folder, file);
  if (path === undefined) return null;
  // Whoever can do without a configuration cannot do without one that was asked for by its name.
  if (!existsSync(path)) throw new FieldsealError('ERR_CONFIG_NOT_FOUND', `There is no file ${path}.`);
  const config = await importDefault(path);
  if (config?.keys !== 'stored' && config?.keys !== 'env') {
    throw new FieldsealError(
      'ERR_CONFIG_INVALID',
      `${path}: keys must say where the application's processes get their keys: 'stored' (all of them read the keyring ` +
        "from the database) or 'env' (some know only ENCRYPTION_KEY).",
    );
  }
  assertModel(config.model);
  return config as FieldsealConfig;
}

async function importDefault(path: string): Promise<Partial<FieldsealConfig> | null> {
  // Not every command needs a declaration.
  const { createJiti } = await import('jiti');
  try {
    return await createJiti(import.meta.url, { moduleCache: false, fsCache: false }).import(path, { default: true });
  } catch (error) {
    if (isFieldsealError(error)) throw error;
    // The first line of what the file threw; it is the user's own code, and holds no value of the database.
    const reason = error instanceof Error ? error.message.split('\n')[0] : 'it threw something that is not an Error';
    throw new FieldsealError('ERR_CONFIG_INVALID', `${path} cannot be loaded: ${reason}`);
  }
}
