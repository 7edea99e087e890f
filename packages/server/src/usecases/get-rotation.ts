/** How far a rotation is. */
import { FieldsealError } from 'fieldseal';
import { assertMayRotate } from '../auth/principal.js';
import type { Driver } from './dependencies.js';
import { type RunView, runView } from './list-runs.js';
import type { Actor, Service } from './service.js';

/** @throws FieldsealError `ERR_FORBIDDEN`, `ERR_NOT_FOUND` */
export async function getRotation(
  { store }: Service,
  id: number,
  { principal }: Actor,
  driver: Driver,
): Promise<RunView> {
  assertMayRotate(principal);
  const run = await store.runs.get(id);
  if (run?.kind !== 'rotate') throw new FieldsealError('ERR_NOT_FOUND', 'There is no such rotation.');
  return runView(run, driver);
}
