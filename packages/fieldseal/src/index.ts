/** The public names of the library. Adapters have their own entry points, such as `fieldseal/drizzle`. */

export { contextText } from './core/context-text.js';
export { Ed25519Key, verifyEd25519 } from './core/ed25519.js';
export {
  type DecryptOptions,
  decodeFernetKey,
  type EncryptOptions,
  Fernet,
  type FernetOptions,
} from './core/fernet.js';
export { hmacSha256 } from './core/hmac-sha256.js';
export { KeyedHash } from './core/keyed-hash.js';
export { lengthPrefixed } from './core/length-prefix.js';
export { MultiFernet } from './core/multi-fernet.js';
export { Secret } from './core/secret.js';
export { Sha256, sha256 } from './core/sha256.js';
export { timingSafeEqualHex } from './core/timing-safe-equal-hex.js';
export { EncryptionService, type EncryptionServiceOptions, type FieldOutcome } from './encryption-service.js';
export { ERROR_CODES, type ErrorCode, FieldsealError, isFieldsealError, type Mistake } from './errors.js';
export { BlindIndex, type IndexValue } from './fields/blind-index.js';
export type { Codec } from './fields/codec.js';
export * as codecs from './fields/codecs.js';
export { defineConfig, type FieldsealConfig } from './fields/config.js';
export { type EncryptedOptions, encrypted } from './fields/encrypted.js';
export { type EncryptedStringOptions, encryptedString } from './fields/encrypted-string.js';
export { type Examined, Field } from './fields/field.js';
export { type BlindIndexOptions, blindIndex } from './fields/index-declaration.js';
export { type Mask, mask } from './fields/mask.js';
export {
  type AnyDeclaration,
  type AnySchema,
  type ColumnDeclaration,
  defineModel,
  type IndexDeclaration,
  type Model,
  type ModelDeclaration,
  type TableDeclaration,
} from './fields/model.js';
export { assertModel } from './fields/model-check.js';
export type { Normaliser } from './fields/normaliser.js';
export { type ContextRow, Place, type SubjectSource } from './fields/place.js';
export { columnBudgetBits, planIndex } from './fields/plan-index.js';
export type { Opened, SchemeName, Storage, Stored, WritingScheme } from './fields/scheme.js';
export { shapeOf } from './fields/schemes.js';
export { type Sealed, SealQueue } from './fields/seal-queue.js';
export { storedLength } from './fields/stored-length.js';
export {
  type DecryptedAs,
  type DecryptedRow,
  type EncryptedRow,
  type ErasedAs,
  fieldsOf,
  Table,
  type TableOptions,
  tableFields,
  tableIndexes,
} from './fields/table.js';
export type { ValueCacheOptions } from './fields/value-cache.js';
export { readXaesHeader, type XaesHeader } from './fields/xaes-scheme.js';
export type { KeyProvider } from './keys/key-provider.js';
export { CONFIRMATION_SECONDS, Keyring, REFRESH_SECONDS } from './keys/keyring.js';
export {
  addKey,
  addPurposeKey,
  createKeyring,
  destroyKey,
  disableKey,
  enableKey,
  promoteKey,
} from './keys/keyring-changes.js';
export { type Key, KeyringSnapshot, versionNumber } from './keys/keyring-snapshot.js';
export { openKeyring } from './keys/open-keyring.js';
export { ReadableKey } from './keys/readable-key.js';
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
export { SubjectKey } from './keys/subject-key.js';
export {
  type LoadSubjectsOptions,
  openSubjectKeys,
  SubjectKeys,
  type SubjectKeysOptions,
} from './keys/subject-keys.js';
export { describeSubjects, type SubjectId, type SubjectName, subjectName } from './keys/subject-name.js';
export {
  type StoredSubject,
  type StoredSubjects,
  SUBJECTS_AT_ONCE,
  type SubjectProvider,
  type SubjectRootSource,
  type SubjectState,
  type WrappedSubject,
} from './keys/subject-provider.js';
export { SubjectRoot } from './keys/subject-root.js';
export { type DatabaseProviderOptions, databaseProvider, type QueryFunction } from './providers/database.js';
export { type DatabaseSubjectsOptions, databaseSubjects } from './providers/database-subjects.js';
export { keyringFromEnv } from './providers/env.js';
export {
  decodeNamedKey,
  type Environment,
  type EnvironmentKeys,
  takeEnvironmentKeys,
} from './providers/key-variables.js';
export { type RootFileStep, type SubjectRootFile, subjectRootFile } from './providers/subject-root-file.js';
