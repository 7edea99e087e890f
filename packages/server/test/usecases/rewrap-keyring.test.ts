/** The stored keyring under another root key. */
import { Fernet, RootKey } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import { addPendingKey } from '../../src/usecases/add-key.js';
import { listKeys } from '../../src/usecases/list-keys.js';
import { rewrapKeyring } from '../../src/usecases/rewrap-keyring.js';
import { sweepTables } from '../../src/usecases/sweep-tables.js';
import { rejectionOf } from '../refusal.js';
import { type Project, withProject } from '../with-project.js';
import { dependenciesOf } from './dependencies-of.js';
import { REALLY } from './with-rotated.js';

function rootOf(project: Project) {
  const text = project.keepSecret(Fernet.generateKey());
  const deps = dependenciesOf(project, { env: { ROOT_KEY: text, ENCRYPTION_KEY: project.key } });
  const secret = deps.keys.root;
  if (!secret) throw new Error('no root');
  return { deps, secret, fingerprint: new RootKey(secret).fingerprint };
}

describe('wrapping the keyring under a new root', () => {
  it('lets both roots open it, and the new one alone once that is finalized', () =>
    withProject({}, async (project) => {
      const old = dependenciesOf(project);
      const fresh = rootOf(project);
      await sweepTables(old, 'encrypt', REALLY);
      const first = (await listKeys(old)).roots[0] as string;

      const both = { root: fresh.fingerprint, roots: [first, fresh.fingerprint], generation: expect.any(Number) };
      expect(await rewrapKeyring(old, { to: fresh.secret, finalize: false })).toEqual(both);
      expect(await rewrapKeyring(old, { to: fresh.secret, finalize: false })).toEqual(both);
      for (const deps of [old, fresh.deps]) {
        expect((await sweepTables(deps, 'verify', REALLY)).status).toBe('completed');
        expect((await listKeys(deps)).roots).toHaveLength(2);
        // Until then a change would lock out whoever has only the other root.
        expect(await rejectionOf(() => addPendingKey(deps, 'field'))).toEqual({
          code: 'ERR_ROOT_CHANGE_UNFINISHED',
          message:
            'The keyring is wrapped under a second root key: for a rewrap, which ends with `fieldseal keyring rewrap NEW --finalize`, or for a rotation; finish it with `fieldseal rotate OLD NEW`, then the same with --finalize.',
        });
      }
      expect(await rejectionOf(() => rewrapKeyring(old, { to: fresh.secret, finalize: true }))).toEqual({
        code: 'ERR_KEYRING_ROOT',
        message:
          'This process still has the old root key; set ROOT_KEY to the new one here and everywhere else, and finalize then.',
      });

      const alone = { root: fresh.fingerprint, roots: [fresh.fingerprint], generation: expect.any(Number) };
      expect(await rewrapKeyring(fresh.deps, { to: fresh.secret, finalize: true })).toEqual(alone);
      expect(await rewrapKeyring(fresh.deps, { to: fresh.secret, finalize: true })).toEqual(alone);
      expect((await rejectionOf(() => listKeys(old))).code).toBe('ERR_KEYRING_ROOT');
      expect((await sweepTables(fresh.deps, 'verify', REALLY)).status).toBe('completed');
      const audit = project.db((db) =>
        db.prepare("SELECT action, details FROM audit_logs WHERE action LIKE 'keyring_%' ORDER BY id").raw().all(),
      );
      expect(audit.slice(1)).toEqual([
        ['keyring_rewrapped', JSON.stringify({ root: fresh.fingerprint, also: first })],
        ['keyring_finalized', JSON.stringify({ root: fresh.fingerprint, dropped: [first] })],
      ]);
    }));

  it('refuses a root that is in use, one that was never added, and a third', () =>
    withProject({}, async (project) => {
      const old = dependenciesOf(project);
      const [fresh, third] = [rootOf(project), rootOf(project)];
      await sweepTables(old, 'encrypt', REALLY);
      const own = old.keys.current;
      if (!own) throw new Error('no key');
      expect(await rejectionOf(() => rewrapKeyring(old, { to: own, finalize: false }))).toEqual({
        code: 'ERR_KEY_DUPLICATE',
        message: 'That is the root key that this process has already; give a new one.',
      });
      expect(await rejectionOf(() => rewrapKeyring(old, { to: fresh.secret, finalize: true }))).toEqual({
        code: 'ERR_KEYRING_ROOT',
        message: 'That root does not open the keyring yet; run this without --finalize first.',
      });
      await rewrapKeyring(old, { to: fresh.secret, finalize: false });
      expect((await rejectionOf(() => rewrapKeyring(old, { to: third.secret, finalize: false }))).code).toBe(
        'ERR_ROOT_CHANGE_UNFINISHED',
      );
      expect((await listKeys(fresh.deps)).roots).toHaveLength(2);
    }));

  it('is refused while a run is unfinished', () =>
    withProject({}, async (project) => {
      const deps = dependenciesOf(project);
      await sweepTables(deps, 'encrypt', REALLY);
      project.db((db) => db.exec("INSERT INTO encryption_key_rotations (initiated_by) VALUES ('cli')"));
      expect((await rejectionOf(() => rewrapKeyring(deps, { to: rootOf(project).secret, finalize: false }))).code).toBe(
        'ERR_RUN_UNFINISHED',
      );
    }));
});
