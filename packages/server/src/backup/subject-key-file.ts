/** Lines of text to a new file that only its owner may read, and back, with memory that stays flat. */
import { promises } from 'node:fs';
import { FieldsealError } from 'fieldseal';
import { DigestCounter, readChunks, writeChunks } from './file-chunks.js';
import { unreadableBackup } from './file-error.js';

/** Longer than any row; what is no file of lines is refused before it fills the memory. */
const LINE_BYTES = 1024 * 1024;

/** Writes a new file of mode 0600. @throws FieldsealError `ERR_DATABASE_FAILED`, and what `lines` fails with */
export async function writeLines(file: string, lines: AsyncGenerator<readonly string[]>): Promise<void> {
  const chunks = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await lines.next();
        if (done) controller.close();
        else controller.enqueue(Buffer.from(value.map((line) => `${line}\n`).join('')));
      },
    },
    { highWaterMark: 0 },
  );
  await writeChunks(file, chunks);
}

/**
 * The lines of a file, without their ends; text behind the last line end is not one.
 * @throws FieldsealError `ERR_BACKUP_INVALID` when it cannot be read or has a line that is too long, `ERR_RUN_STOPPED`
 */
export async function* readLines(file: string, stop: AbortSignal): AsyncGenerator<string> {
  let handle: promises.FileHandle;
  try {
    handle = await promises.open(file, 'r');
  } catch (error) {
    throw unreadableBackup(file, error);
  }
  try {
    let rest = Buffer.alloc(0);
    for await (const chunk of readChunks(handle, new DigestCounter(), stop)) {
      let bytes = Buffer.concat([rest, chunk]);
      for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a)) {
        yield bytes.toString('utf8', 0, end);
        bytes = bytes.subarray(end + 1);
      }
      if (bytes.length > LINE_BYTES)
        throw new FieldsealError('ERR_BACKUP_INVALID', `The file ${file} has a line that is too long.`);
      rest = bytes;
    }
  } finally {
    await handle.close();
  }
}
