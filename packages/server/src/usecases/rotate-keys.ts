/** `rotate`: a new key version, every value moved to it, and the old one counted to zero. */
import { type FieldsealConfig, FieldsealError, promoteKey, RootKey, type Secret } from 'fieldseal';
import type { Run, Store } from '../store/store.js';
import type { SweepReport } from '../sweep/sweep-report.js';
import type { Dependencies } from './dependencies.js';
import {
  driveRun,
  dryRun,
  findOrCreateRun,
  findUnfinished,
  openedFor,
  passContext,
  type SweepOptions,
} from './drive-run.js';
import { rotationTo, storeNextKey, withNextKey } from './next-key.js';
import { type OpenTables, openTables } from './open-tables.js';
import { promote } from './promote.js';
import { keysToOpen } from './service.js';
import { type GivenKeys, openServiceKeyring, type ServiceKeyring } from './service-keyring.js';
import { adviseRootKey } from './sweep-tables.js';

/** The Python script's form: both keys are the operator's. Null: a random key. */
export interface GivenRotation {
  readonly from: Secret;
  readonly to: Secret;
}

export interface RotateOptions extends SweepOptions {
  readonly given: GivenRotation | null;
}

/** With OLD and NEW given, either may be the root (unless `ROOT_KEY` is), and OLD is what a first ring adopts. */
function rotationKeys(deps: Dependencies, given: GivenRotation | null): GivenKeys {
  if (!given) return keysToOpen(deps.keys);
  const { from, to } = given;
  if (from.equals(to)) throw new FieldsealError('ERR_KEY_DUPLICATE', 'OLD and NEW are the same key.');
  const { current, previous, root } = deps.keys;
  if (current && !current.equals(from) && !current.equals(to)) {
    throw new FieldsealError('ERR_KEYRING_ROOT', 'ENCRYPTION_KEY is neither OLD nor NEW; give the key in use as OLD.');
  }
  // NEW may already be deployed as a key that reads; it is adopted by the rotation itself.
  return {
    current: from,
    previous: previous.filter((key) => !key.equals(to) && !key.equals(from)),
    roots: root ? [root] : [from, to],
  };
}

/** During OLD → NEW the ring is wrapped under both, so that the service starts under either. */
function rotationRoots(deps: Dependencies, keyring: ServiceKeyring, given: GivenRotation | null): readonly RootKey[] {
  const isDone = given && keyring.ring.findSecret(given.to)?.state === 'primary';
  return given && !deps.keys.root && !isDone ? [new RootKey(given.from), new RootKey(given.to)] : keyring.roots;
}

async function startRun(
  deps: Dependencies,
  { store, tables }: OpenTables,
  keyring: ServiceKeyring,
  given: GivenRotation | null,
): Promise<Run> {
  const next = withNextKey(keyring.ring, 'field', given?.to ?? null);
  const roots = rotationRoots(deps, keyring, given);
  const run = rotationTo(next, { notes: null, initiatedBy: 'cli' });
  return findOrCreateRun(deps, store, run, tables, { also: (tx) => storeNextKey(tx, keyring, next, roots) });
}

/** Without a configuration only the service's own columns are swept, and the service reads the stored ring. */
async function assertMayRotate(
  config: FieldsealConfig | null,
  store: Store,
  given: GivenRotation | null,
): Promise<void> {
  if (given || config === null || config.keys === 'stored') return;
  // A rotation from OLD to NEW that was interrupted goes on without being told the keys again.
  if (await findUnfinished(store, 'rotate')) return;
  throw new FieldsealError(
    'ERR_ROTATE_ENV_KEYS',
    "The configuration says keys: 'env': readers that know only ENCRYPTION_KEY could not read a random new key. Use " +
      "`fieldseal rotate OLD NEW`, or let every reader load the stored keyring and say keys: 'stored'.",
  );
}

/**
 * Rotates to a new key. An unfinished rotation is resumed, whatever its key: a second call makes no third version.
 * @throws FieldsealError `ERR_ROTATE_ENV_KEYS`, `ERR_KEY_DUPLICATE`, and those of the keys, the preflight and the run
 */
export async function rotateKeys(deps: Dependencies, options: RotateOptions): Promise<SweepReport> {
  const { given } = options;
  const keys = rotationKeys(deps, given);
  const open = await openTables(deps, {
    ...openedFor('rotate', options),
    async check(config, reading) {
      await assertMayRotate(config, reading, given);
      await openServiceKeyring(reading, keys, false);
    },
  });
  try {
    const keyring = await openServiceKeyring(open.store, keys, !options.dryRun);
    adviseRootKey(deps, keyring);
    if (options.dryRun) {
      const { ring, version, oldVersion } = withNextKey(keyring.ring, 'field', given?.to ?? null);
      const context = passContext(deps, 'rotate', version, promoteKey(ring, version), open, options);
      return await dryRun(context, oldVersion);
    }
    const unfinished = await findUnfinished(open.store, 'rotate', options.onlyRun);
    const target = given && keyring.ring.findSecret(given.to)?.version;
    if (unfinished && given && unfinished.newKeyVersion !== target) {
      throw new FieldsealError(
        'ERR_RUN_UNFINISHED',
        `Run ${unfinished.id} rotates to another key; finish it with \`fieldseal resume ${unfinished.id}\` first.`,
      );
    }
    const run = unfinished ?? (await startRun(deps, open, keyring, given));
    return await driveRun(deps, open, run, options, (claimed) => promote(deps, open.store, keys, 'field', claimed));
  } finally {
    await open.close();
  }
}
