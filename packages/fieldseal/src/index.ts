/** The public names of the library. Adapters have their own entry points, such as `fieldseal/drizzle`. */

export {
  type DecryptOptions,
  decodeFernetKey,
  type EncryptOptions,
  Fernet,
  type FernetOptions,
} from './core/fernet.js';
export { KeyedHash } from './core/keyed-hash.js';
export { MultiFernet } from './core/multi-fernet.js';
export { Secret } from './core/secret.js';
export { Sha256 } from './core/sha256.js';
export { EncryptionService, type FieldOutcome } from './encryption-service.js';
export { ERROR_CODES, type ErrorCode, FieldsealError, isFieldsealError } from './errors.js';
export type { Codec } from './fields/codec.js';
export { defineConfig, type FieldsealConfig } from './fields/config.js';
export { type EncryptedStringOptions, encryptedString } from './fields/encrypted-string.js';
export { type Examined, Field, fieldsOf } from './fields/field.js';
export {
  type AnyDeclaration,
  type AnySchema,
  assertModel,
  type ColumnDeclaration,
  defineModel,
  type Model,
  type ModelDeclaration,
  type TableDeclaration,
} from './fields/model.js';
export type { Opened, SchemeName } from './fields/scheme.js';
export type { KeyProvider } from './keys/key-provider.js';
export { CONFIRMATION_SECONDS, Keyring, REFRESH_SECONDS } from './keys/keyring.js';
export { addKey, addPurposeKey, createKeyring, promoteKey } from './keys/keyring-changes.js';
export { type Key, KeyringSnapshot, type ReadableKey, versionNumber } from './keys/keyring-snapshot.js';
export { openKeyring } from './keys/open-keyring.js';
export { RootKey } from './keys/root-key.js';
export { openSealedKeyring, sealKeyring } from './keys/sealed-keyring.js';
export {
  KEY_PURPOSES,
  KEY_STATES,
  type KeyPurpose,
  type KeyState,
  type StoredKey,
  type StoredKeyring,
} from './keys/stored-keyring.js';
export { type DatabaseProviderOptions, databaseProvider, type QueryFunction } from './providers/database.js';
export { keyringFromEnv } from './providers/env.js';
export { type Environment, type EnvironmentKeys, takeEnvironmentKeys } from './providers/key-variables.js';
