/** Rotations over HTTP: starting one, and waiting for it. */
import { setTimeout } from 'node:timers/promises';
import { expect } from 'vitest';
import type { RunningService } from './with-service.ts';

/** Encrypts what the project declares, and starts a rotation for an admin; returns its id. */
export async function startRotation({ project, env, request }: RunningService, token: string): Promise<number> {
  expect((await project.fieldseal('encrypt', { env })).exitCode).toBe(0);
  return (await request('POST', '/api/encryption/rotate', { token, body: {} })).body.rotation_id;
}

/** The last answer of rotation-status, once the rotation is over. */
export async function finishedRotation(service: RunningService, id: number, token: string) {
  for (;;) {
    const { body } = await service.request('GET', `/api/encryption/rotation-status/${id}`, { token });
    if (body.rotation_status?.startsWith('completed')) return body;
    if (!['pending', 'in_progress', 'stalled'].includes(body.rotation_status)) throw new Error(JSON.stringify(body));
    await setTimeout(50);
  }
}
