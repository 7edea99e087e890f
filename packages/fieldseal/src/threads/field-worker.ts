/**
 * The thread that encrypts and decrypts slices of batches. It keeps nothing between two slices but its random pool and
 * the memory of a chunk: the keys come with each slice, and their bytes are erased when it is done
 * (what OpenSSL made of them goes with the garbage collector).
 */
import { parentPort } from 'node:worker_threads';
import type { BatchFailure, BatchResult, Hashing } from '../core/batch.js';
import { decryptMany, encryptMany } from '../core/fernet-batch.js';
import { FERNET_KEY_BYTES, FernetKey } from '../core/fernet-key.js';
import { type PackedTexts, packTexts, unpackTexts } from './packed-texts.js';

/** What is done to a slice. */
export interface SliceWork {
  readonly kind: 'encrypt' | 'decrypt';
  /** The keys, 32 bytes each, the primary first. */
  readonly keys: Uint8Array<ArrayBuffer>;
  readonly hashing: Hashing;
  readonly texts: PackedTexts;
}

/** One slice; all its memory is handed over. */
export interface SliceRequest extends SliceWork {
  readonly id: number;
}

/** What a thread says once it is loaded. */
export type Ready = 'ready';

/** The answer to the request of that id; its memory is handed over, too. */
export interface SliceReply {
  readonly id: number;
  readonly texts: PackedTexts;
  readonly failures: readonly BatchFailure[];
}

function run({ kind, keys, hashing, texts }: SliceWork): BatchResult {
  const fernetKeys: FernetKey[] = [];
  try {
    for (let at = 0; at < keys.length; at += FERNET_KEY_BYTES) {
      fernetKeys.push(new FernetKey(keys.subarray(at, at + FERNET_KEY_BYTES)));
    }
    const values = unpackTexts(texts);
    if (kind === 'decrypt') return decryptMany(fernetKeys, values, hashing);
    const [primary] = fernetKeys;
    if (!primary) throw new TypeError('there is no key to encrypt with');
    return encryptMany(primary, values, hashing);
  } finally {
    keys.fill(0);
    for (const { hmac } of fernetKeys) for (const block of Object.values(hmac.keyBlocks)) block.fill(0);
  }
}

parentPort?.on('message', (request: SliceRequest) => {
  const { values, failures } = run(request);
  const texts = packTexts(values);
  if (!texts) throw new Error('what was encrypted or decrypted is not text');
  const reply: SliceReply = { id: request.id, texts, failures };
  parentPort?.postMessage(reply, [texts.buffer]);
});
parentPort?.postMessage('ready' satisfies Ready);
