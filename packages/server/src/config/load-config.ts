/** Finds and loads `fieldseal.config.{ts,js,mts,mjs}`: the declaration is code, since codecs are functions. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { assertModel, type FieldsealConfig, FieldsealError, isFieldsealError } from 'fieldseal';
import { createJiti } from 'jiti';

const NAMES = ['fieldseal.config.ts', 'fieldseal.config.js', 'fieldseal.config.mts', 'fieldseal.config.mjs'];

/**
 * @param folder where to look
 * @param file a file to load instead, relative to `folder`
 * @throws FieldsealError `ERR_CONFIG_NOT_FOUND`, `ERR_CONFIG_INVALID`, or what the file's own `defineModel` throws
 */
export async function loadConfig(folder: string, file: string | null): Promise<FieldsealConfig> {
  const path = file === null ? NAMES.map((name) => join(folder, name)).find(existsSync) : resolve(folder, file);
  if (path === undefined || !existsSync(path)) {
    throw new FieldsealError(
      'ERR_CONFIG_NOT_FOUND',
      path === undefined
        ? `There is no fieldseal.config.ts (or .js) in ${folder}; \`fieldseal scan\` prints one to start from.`
        : `There is no file ${path}.`,
      // Whoever can do without a configuration cannot do without one that was asked for by its name.
      { cause: path },
    );
  }
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
  try {
    return await createJiti(import.meta.url, { moduleCache: false, fsCache: false }).import(path, { default: true });
  } catch (error) {
    if (isFieldsealError(error)) throw error;
    // The first line of what the file threw; it is the user's own code, and holds no value of the database.
    const reason = error instanceof Error ? error.message.split('\n')[0] : 'it threw something that is not an Error';
    throw new FieldsealError('ERR_CONFIG_INVALID', `${path} cannot be loaded: ${reason}`);
  }
}
