/** Rotations for the tests of their routes. Nothing drives them. */
import { expect } from 'vitest';
import type { RouteUnderTest } from '../every-route.ts';
import { type AppUnderTest, freshSubject } from '../with-app.ts';

/** What the routes of rotations have in common. */
export const ROTATION_ROUTE: Pick<RouteUnderTest, 'caller' | 'scope' | 'table'> = {
  caller: { isAdmin: true },
  scope: 'rotation:write',
  table: 'encryption_key_rotations',
};

/** Ids that are none. */
export function wrongIds(pathOf: (id: string) => string): RouteUnderTest['malformed'] {
  return ['x', '0', '-1', '4.7', '0x1', '1e2', '9007199254740992'].map((id) => [{ path: pathOf(id) }, 'id'] as const);
}

/** Gives up what earlier tests left unfinished. */
export async function cancelAll(app: AppUnderTest): Promise<void> {
  const token = await app.token(freshSubject(), { isAdmin: true });
  const { body } = await app.call('GET', '/rotations', { token });
  for (const { id, rotation_status: status } of body) {
    if (['pending', 'in_progress', 'paused', 'stalled'].includes(status))
      await app.call('POST', `/rotations/${id}/cancel`, { token });
  }
}

/** A rotation that has just been started, and the admin who did it. */
export async function startedRotation(app: AppUnderTest): Promise<{ id: number; token: string; subject: string }> {
  await cancelAll(app);
  const subject = freshSubject();
  const token = await app.token(subject, { isAdmin: true });
  const { status, body } = await app.call('POST', '/rotate', { token, body: { notes: 'why' } });
  expect(status).toBe(202);
  return { id: body.rotation_id, token, subject };
}

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);

/** What `/rotation-status` says of a rotation that nobody has driven yet. */
export const RESTING = {
  id: expect.any(Number),
  old_key_version: 'v1',
  new_key_version: 'v2',
  timestamp: TIME,
  rotation_status: 'pending',
  total_records: 0,
  rotated_records: 0,
  failed_records: 0,
  progress_percent: 0,
};

/** What a list says of it besides. */
export const LISTED = {
  ...RESTING,
  skipped_records: 0,
  waits_because: expect.any(String),
  error_details: null,
  initiated_by: expect.any(String),
  notes: 'why',
  updated_at: TIME,
  completed_at: null,
};
