/** What a `fieldseal.config.ts` (or `.js`) exports. */
import type { Model } from './model.js';

/** The declaration that the command line loads. */
export interface FieldsealConfig {
  /**
   * Where the application's processes get their keys. `stored`: all of them read the keyring from the database
   * (`databaseProvider`), so that a rotation may make random keys. `env`: some know only `ENCRYPTION_KEY` (an old Python
   * process, or `keyringFromEnv`); they rotate with `fieldseal rotate OLD NEW`.
   */
  readonly keys: 'stored' | 'env';
  // biome-ignore lint/suspicious/noExplicitAny: a model of any tables
  readonly model: Model<any>;
}

/** Types a configuration; returns it as it is. */
export function defineConfig(config: FieldsealConfig): FieldsealConfig {
  return config;
}
