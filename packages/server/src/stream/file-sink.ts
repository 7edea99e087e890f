/** A file that lines are appended to, on the disk before the stream goes on. */
import { closeSync, existsSync, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { FieldsealError } from 'fieldseal';
import type { AuditSink } from './audit-sink.js';

const NEWLINE = 0x0a;

/**
 * Opened for each delivery, so that it may be moved away and a new one begins; readable by its owner alone.
 * @throws FieldsealError `ERR_USAGE`: its folder does not exist
 */
export function fileSink(path: string): AuditSink {
  if (!existsSync(dirname(path)))
    throw new FieldsealError('ERR_USAGE', `The folder of the file ${basename(path)} does not exist.`);
  return {
    about: { kind: 'file', to: basename(path) },
    async deliver(lines) {
      try {
        append(path, lines);
      } catch (error) {
        const { code = 'unknown' } = error as NodeJS.ErrnoException;
        throw new FieldsealError('ERR_UNAVAILABLE', `The file ${basename(path)} cannot be written (${code}).`);
      }
    },
  };
}

function append(path: string, lines: string): void {
  const file = openSync(path, 'a+', 0o600);
  try {
    const { size } = fstatSync(file);
    const last = Buffer.alloc(1);
    // A line that a crash tore ends here; it comes again as a whole.
    if (size > 0 && readSync(file, last, 0, 1, size - 1) === 1 && last[0] !== NEWLINE) writeSync(file, '\n');
    let rest = Buffer.from(lines);
    while (rest.length > 0) rest = rest.subarray(writeSync(file, rest));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
