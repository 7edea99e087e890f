/** `encrypt`, `decrypt` and `verify`: the sweeps that leave the keyring as it is. */
import { addPurposeKey, type FieldsealConfig, FieldsealError, type KeyringSnapshot } from 'fieldseal';
import type { RunKind } from '../store/store.js';
import type { SweepReport } from '../sweep/sweep-report.js';
import type { Dependencies } from './dependencies.js';
import { driveRun, dryRun, findOrCreateRun, openedFor, passContext, type SweepOptions } from './drive-run.js';
import { type OpenTables, openTables } from './open-tables.js';
import { keysToOpen } from './service.js';
import { openServiceKeyring, type ServiceKeyring, withPurposeKey } from './service-keyring.js';

/** Says once, when the ring is made, that a root key of its own would be better. */
export function adviseRootKey({ keys, notify }: Dependencies, { isNew }: ServiceKeyring): void {
  if (!isNew || keys.root) return;
  notify({
    type: 'warning',
    text: 'the keyring is wrapped under ENCRYPTION_KEY itself; a ROOT_KEY of its own, set before the first run, is safer (docs/keys.md)',
  });
}

function hasIndexes({ tables }: OpenTables): boolean {
  return tables.some(({ indexes = [] }) => indexes.length > 0);
}

/** The ring for a dry run, which makes no key: one for indexes that is never stored does as well. */
export function ringToTry(ring: KeyringSnapshot, open: OpenTables): KeyringSnapshot {
  return hasIndexes(open) ? addPurposeKey(ring, 'blind-index', Date.now()) : ring;
}

/** @throws FieldsealError `ERR_ROTATE_ENV_KEYS` when encrypting would make values that the declared readers cannot read */
function assertReadable(config: FieldsealConfig, ring: KeyringSnapshot, { keys }: Dependencies): void {
  const primary = ring.key(ring.primary.version).secret;
  const known = [keys.current, ...keys.previous].some((secret) => secret && primary?.equals(secret));
  if (config.keys === 'stored' || known) return;
  throw new FieldsealError(
    'ERR_ROTATE_ENV_KEYS',
    `The configuration says keys: 'env', but the primary key ${ring.primary.version} is in neither ENCRYPTION_KEY nor ENCRYPTION_KEY_PREVIOUS.`,
  );
}

/**
 * Sweeps every declared column: `encrypt` turns plaintext into tokens, `decrypt` tokens into plaintext, `verify` writes
 * nothing and counts. An unfinished run of the kind is resumed. The end is a report, also when values were unreadable.
 * @throws FieldsealError of the configuration, the keys, the preflight and the run
 */
export async function sweepTables(
  deps: Dependencies,
  kind: Exclude<RunKind, 'rotate' | 'index'>,
  options: SweepOptions,
): Promise<SweepReport> {
  const open = await openTables(deps, {
    ...openedFor(kind, options),
    check: (_config, reading) => openServiceKeyring(reading, keysToOpen(deps.keys), false),
  });
  try {
    const { config, store } = open;
    const keyring = await openServiceKeyring(store, keysToOpen(deps.keys), !options.dryRun);
    adviseRootKey(deps, keyring);
    if (kind === 'encrypt' && config) assertReadable(config, keyring.ring, deps);
    if (options.dryRun) {
      return await dryRun(passContext(deps, kind, null, ringToTry(keyring.ring, open), open, options), null);
    }
    const { ring } = hasIndexes(open) ? await withPurposeKey(store, keyring, 'blind-index') : keyring;
    const newRun = { kind, oldKeyVersion: null, newKeyVersion: null, notes: null, initiatedBy: 'cli' };
    const run = await findOrCreateRun(deps, store, newRun, open.tables, options);
    return await driveRun(deps, open, run, options, async () => ring);
  } finally {
    await open.close();
  }
}
