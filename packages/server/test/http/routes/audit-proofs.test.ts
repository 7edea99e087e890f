/** `GET /audit-logs/checkpoint`, `/audit-logs/:id/inclusion-proof` and `/audit-logs/consistency-proof`; their 200 is in `../audit-proofs.test.ts`. */
import { describe, expect, test } from 'vitest';
import { refusalOf, refusesAsEveryRoute } from '../every-route.ts';
import { freshSubject, onBothDatabases } from '../with-app.ts';

onBothDatabases((app) => {
  describe('a checkpoint', () => {
    test('404 before anything is sealed and signed', async () => {
      const token = await app().token(freshSubject());
      expect(refusalOf(await app().call('GET', '/audit-logs/checkpoint', { token }))).toBe('404 ERR_NOT_FOUND');
    });

    refusesAsEveryRoute(app, {
      method: 'GET',
      path: '/audit-logs/checkpoint',
      scope: 'audit:read',
      table: 'audit_checkpoints',
      malformed: [],
    });
  });

  describe('an inclusion proof', () => {
    test('404 for another’s row, as for none', async () => {
      const owner = await app().token(freshSubject());
      await app().call('POST', '/keys', { token: owner, body: { name: 'k' } });
      const { id } = (await app().call('GET', '/audit-logs', { token: owner })).body.logs[0];
      const token = await app().token(freshSubject());
      for (const other of [id, 999_999])
        expect(refusalOf(await app().call('GET', `/audit-logs/${other}/inclusion-proof`, { token }))).toBe(
          '404 ERR_NOT_FOUND',
        );
    });

    refusesAsEveryRoute(app, {
      method: 'GET',
      path: '/audit-logs/999999/inclusion-proof',
      scope: 'audit:read',
      table: 'audit_leaves',
      malformed: [
        ...['x', '0', '-1', '4.7', '0x1', '01', '9007199254740992'].map(
          (id) => [{ path: `/audit-logs/${id}/inclusion-proof` }, 'id'] as const,
        ),
      ],
    });
  });

  describe('a consistency proof', () => {
    refusesAsEveryRoute(app, {
      method: 'GET',
      path: '/audit-logs/consistency-proof?from=1&to=2',
      scope: 'audit:read',
      table: 'audit_leaves',
      malformed: [
        [{ path: '/audit-logs/consistency-proof' }, 'from'],
        [{ path: '/audit-logs/consistency-proof?from=0&to=1' }, 'from'],
        [{ path: '/audit-logs/consistency-proof?from=1&to=1e2' }, 'to'],
        [{ path: '/audit-logs/consistency-proof?from=1&to=2&unknown=1' }, 'unknown'],
      ],
    });
  });
});
