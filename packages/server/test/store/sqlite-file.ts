/** Gives a test the name of a SQLite file in a folder of its own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export async function withSqliteFile<T>(work: (file: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'fieldseal-store-'));
  try {
    return await work(join(folder, 'test.db'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
