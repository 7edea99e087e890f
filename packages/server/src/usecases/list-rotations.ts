/** The rotations, newest first. */
import { assertMayRotate } from '../auth/principal.js';
import type { Driver } from './dependencies.js';
import { type RunView, runView } from './list-runs.js';
import type { Actor, Service } from './service.js';

export type { RunView };

/** @throws FieldsealError `ERR_FORBIDDEN` */
export async function listRotations(
  { store }: Service,
  { principal }: Actor,
  driver: Driver,
  page: { readonly limit: number; readonly beforeId?: number },
): Promise<RunView[]> {
  assertMayRotate(principal);
  return (await store.runs.list(page.limit, { kind: 'rotate', ...page })).map((run) => runView(run, driver));
}
