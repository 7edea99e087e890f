/**
 * Packages that the benchmark takes from npm when it runs: what is too large to be installed with the project. They
 * stay in a cache that `npm ci` empties.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CACHE = fileURLToPath(new URL('../node_modules/.cache/fieldseal-bench/', import.meta.url));

/** The folder with these packages in its node_modules, their install scripts run; null where npm cannot bring them. */
function npmFolder(name: string, dependencies: Readonly<Record<string, string>>): string | null {
  const folder = join(CACHE, name);
  const manifest = join(folder, 'package.json');
  const allowScripts = Object.fromEntries(Object.keys(dependencies).map((dependency) => [dependency, true]));
  const wanted = JSON.stringify({ private: true, dependencies, allowScripts }, null, 2);
  if (existsSync(manifest) && readFileSync(manifest, 'utf8') === wanted) return folder;
  mkdirSync(folder, { recursive: true });
  // Written as it is looked for only at the end: what was interrupted is installed again.
  writeFileSync(manifest, JSON.stringify({ private: true, dependencies, allowScripts }));
  const { status } = spawnSync('npm', ['install'], {
    cwd: folder,
    stdio: 'ignore',
    shell: process.platform === 'win32',
  });
  if (status !== 0) return null;
  writeFileSync(manifest, wanted);
  return folder;
}

/** The newest Node of this major version: the running one where that is it, or that of the package `node`. */
export function nodeOf(major: string): string | null {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath;
  const folder = npmFolder(`node-${major}`, { node: major });
  return folder === null ? null : join(folder, 'node_modules/node/bin/node');
}

type Driver = typeof import('better-sqlite3');

/**
 * better-sqlite3 for the running Node; null where npm cannot bring it. The project's own, of version 12, is compiled for
 * one Node, and from Node 24.19 on the collector of garbage may end the process with its statements. Version 13 comes
 * compiled for all Nodes from 22 on.
 */
export function sqliteDriver(): { readonly Database: Driver; readonly version: string } | null {
  const isNew = Number(process.versions.node.split('.')[0]) >= 22;
  const folder = isNew ? npmFolder('sqlite', { 'better-sqlite3': '13.2.0' }) : null;
  if (isNew && folder === null) return null;
  const load = createRequire(folder === null ? import.meta.url : join(folder, 'package.json'));
  return { Database: load('better-sqlite3'), version: load('better-sqlite3/package.json').version };
}

/**
 * typeorm-encrypted with the typeorm that it asks for: 43 MB of 97 packages, for two functions that the benchmark
 * calls. Null where npm cannot bring them.
 */
export function typeormEncrypted(): NodeJS.Require | null {
  const folder = npmFolder('typeorm', { 'typeorm-encrypted': '0.8.0', typeorm: '0.3.31' });
  return folder === null ? null : createRequire(join(folder, 'package.json'));
}
