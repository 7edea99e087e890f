/** Whether a user other than root could get at a file: tests that run as root start some programs as somebody else. */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';

/** Whether every folder above `path` may be entered by anybody. */
export function isOpenToOthers(path: string): boolean {
  const folder = dirname(path);
  return (statSync(folder).mode & 0o001) !== 0 && (folder === path || folder === '/' || isOpenToOthers(folder));
}
