/** Files read and written in chunks of 64 KiB, so that memory stays flat however large they are. */
import { promises } from 'node:fs';
import { dirname } from 'node:path';
import { FieldsealError, Sha256 } from 'fieldseal';
import { failedWrite } from './file-error.js';

const CHUNK_BYTES = 64 * 1024;

/** What identifies a file's content. */
export interface FileDigest {
  readonly bytes: number;
  /** Hex, as `sha256sum` prints it. */
  readonly sha256: string;
}

/** Counts and hashes the chunks of one file as they pass. */
export class DigestCounter {
  readonly #hash = new Sha256();
  #bytes = 0;

  update(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.#bytes += chunk.length;
  }

  /** Called once, after the last chunk. */
  finish(): FileDigest {
    return { bytes: this.#bytes, sha256: this.#hash.hex() };
  }
}

/**
 * The file's bytes from its beginning, read only as fast as they are taken. The caller keeps and closes `handle`.
 * The stream fails with `ERR_RUN_STOPPED` once `stop` is aborted.
 */
export function readChunks(
  handle: promises.FileHandle,
  counter: DigestCounter,
  stop: AbortSignal,
): ReadableStream<Uint8Array> {
  let position = 0;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (stop.aborted) {
          throw new FieldsealError('ERR_RUN_STOPPED', 'Stopped; nothing is left behind, run the same command again.');
        }
        const { buffer, bytesRead } = await handle.read(Buffer.alloc(CHUNK_BYTES), 0, CHUNK_BYTES, position);
        if (bytesRead === 0) return controller.close();
        position += bytesRead;
        const chunk = buffer.subarray(0, bytesRead);
        counter.update(chunk);
        controller.enqueue(chunk);
      },
    },
    { highWaterMark: 0 },
  );
}

/**
 * Writes a new file of mode 0600 and has it on the disk before it returns. What `chunks` fails with comes through as it is.
 * @throws FieldsealError `ERR_DATABASE_FAILED` when the file cannot be written
 */
export async function writeChunks(
  file: string,
  chunks: ReadableStream<Uint8Array>,
  counter?: DigestCounter,
): Promise<void> {
  const written = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      // The caller's own folder, not the temporary one within it.
      throw failedWrite(dirname(dirname(file)), error);
    }
  };
  const handle = await written(promises.open(file, 'wx', 0o600));
  try {
    for await (const chunk of chunks) {
      counter?.update(chunk);
      await written(handle.appendFile(chunk));
    }
    await written(handle.sync());
  } finally {
    await handle.close();
  }
}
