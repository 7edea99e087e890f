/** `encrypt`, `decrypt` and `verify`: the sweeps that leave the keyring as it is. */
import { type FieldsealConfig, FieldsealError, type KeyringSnapshot } from 'fieldseal';
import type { RunKind } from '../store/store.js';
import type { SweepReport } from '../sweep/sweep-report.js';
import type { Dependencies } from './dependencies.js';
import { driveRun, dryRun, findOrCreateRun, passContext, type SweepOptions } from './drive-run.js';
import { openTables } from './open-tables.js';
import { keysToOpen } from './service.js';
import { type GivenKeys, openServiceKeyring, type ServiceKeyring } from './service-keyring.js';

/** The keys to open the ring with. */
export function givenKeys({ keys }: Dependencies): GivenKeys {
  return keysToOpen(keys);
}

/** Says once, when the ring is made, that a root key of its own would be better. */
export function adviseRootKey({ keys, notify }: Dependencies, { isNew }: ServiceKeyring): void {
  if (!isNew || keys.root) return;
  notify({
    type: 'warning',
    text: 'the keyring is wrapped under ENCRYPTION_KEY itself; a ROOT_KEY of its own, set before the first run, is safer (docs/keys.md)',
  });
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
  kind: Exclude<RunKind, 'rotate'>,
  options: SweepOptions,
): Promise<SweepReport> {
  const open = await openTables(deps, {
    kind,
    readOnly: options.dryRun,
    allowTriggers: options.allowTriggers || kind === 'verify',
    check: (_config, reading) => openServiceKeyring(reading, givenKeys(deps), false),
  });
  try {
    const { config, store } = open;
    const keyring = await openServiceKeyring(store, givenKeys(deps), !options.dryRun);
    const { ring } = keyring;
    adviseRootKey(deps, keyring);
    if (kind === 'encrypt' && config) assertReadable(config, ring, deps);
    if (options.dryRun) return await dryRun(passContext(deps, kind, null, ring, open, options), null);
    const run = await findOrCreateRun(store, {
      kind,
      oldKeyVersion: null,
      newKeyVersion: null,
      notes: null,
      initiatedBy: 'cli',
    });
    return await driveRun(deps, open, run, options, async () => ring);
  } finally {
    await open.close();
  }
}
