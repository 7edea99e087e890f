/** `rotate OLD NEW --finalize`: OLD stops opening the keyring, once no value is left under it. */
import { FieldsealError, RootKey } from 'fieldseal';
import type { SweepReport } from '../sweep/sweep-report.js';
import { countUnder } from '../sweep/transform.js';
import type { Dependencies } from './dependencies.js';
import { forgetOverwritten } from './forget-overwritten.js';
import { openVerifiedTables } from './open-tables.js';
import type { GivenRotation } from './rotate-keys.js';
import { changeKeyring, nextGeneration, openServiceKeyring } from './service-keyring.js';
import { sweepTables } from './sweep-tables.js';

/**
 * Verifies every value, and drops OLD's wraps when none is left under OLD. OLD stays in the ring as a key that reads,
 * for old backups.
 * @throws FieldsealError `ERR_RUN_NOT_CLEAN` with nothing changed, `ERR_KEY_STATE` unless NEW is the primary
 */
export async function finalizeRotation(deps: Dependencies, { from, to }: GivenRotation): Promise<SweepReport> {
  const keys = { ...deps.keys, current: to };
  const report = await sweepTables({ ...deps, keys }, 'verify', {
    dryRun: false,
    maxRowsPerSecond: null,
    allowTriggers: true,
  });
  const open = await openVerifiedTables(deps);
  try {
    const roots = deps.keys.root ? [deps.keys.root] : [from, to];
    const keyring = await openServiceKeyring(open.store, { current: to, previous: [], roots }, true);
    const { ring } = keyring;
    const old = ring.findSecret(from)?.version;
    if (ring.findSecret(to)?.state !== 'primary') {
      throw new FieldsealError('ERR_KEY_STATE', 'NEW is not the primary key; run `fieldseal rotate OLD NEW` first.');
    }
    const left = report.columns.reduce((sum, { held }) => sum + (old ? countUnder(old, held) : 0), 0);
    if (left > 0 || report.counts.failed > 0) {
      throw new FieldsealError(
        'ERR_RUN_NOT_CLEAN',
        `${left} values are left under OLD and ${report.counts.failed} cannot be read; nothing was dropped. See run ${report.run}.`,
      );
    }
    if (deps.keys.root || keyring.roots.length === 1) return report;
    await open.store.transaction(async (tx) => {
      await changeKeyring(tx, keyring, nextGeneration(ring), [new RootKey(to)]);
      const details = JSON.stringify({ root: new RootKey(to).fingerprint, dropped: new RootKey(from).fingerprint });
      await tx.audit.insert({
        action: 'keyring_finalized',
        resourceType: 'keyring',
        resourceId: ring.id,
        status: 'success',
        details,
      });
    });
    await forgetOverwritten(deps, open.store);
    return report;
  } finally {
    await open.close();
  }
}
