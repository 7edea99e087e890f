/** Waiting for a rotation over HTTP. */
import { setTimeout } from 'node:timers/promises';
import type { RunningService } from './with-service.ts';

/** The last answer of rotation-status, once the rotation is over. */
export async function finishedRotation(service: RunningService, id: number, token: string) {
  for (;;) {
    const { body } = await service.request('GET', `/api/encryption/rotation-status/${id}`, { token });
    if (body.rotation_status?.startsWith('completed')) return body;
    if (!['pending', 'in_progress', 'stalled'].includes(body.rotation_status)) throw new Error(JSON.stringify(body));
    await setTimeout(50);
  }
}
