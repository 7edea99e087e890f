/**
 * The thread that encrypts and decrypts slices of batches. It keeps nothing between two slices but its random pool and
 * the memory of a chunk: the keys come with each slice, and their bytes are erased when it is done
 * (what OpenSSL made of them goes with the garbage collector).
 */
import { getPriority, platform, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import type { BatchFailure, BatchResult, Hashing } from '../core/batch.js';
import { decryptMany, encryptMany } from '../core/fernet-batch.js';
import { FERNET_KEY_BYTES, FernetKey } from '../core/fernet-key.js';
import { type PackedTexts, packTexts, unpackTexts } from './packed-texts.js';

/**
 * How many steps of niceness this thread stands behind the others of its process. What holds up the caller's thread is
 * its collector of garbage, with as many strings as a batch makes: beside threads of the same priority each collection
 * takes twice as long, since its helpers wait for a processor.
 */
const STEPS_BEHIND = 10;
const NICEST = 19;

/** Linux alone knows priorities of threads: elsewhere it would be that of the whole process. */
function stepBehind(): void {
  if (platform() !== 'linux') return;
  try {
    setPriority(0, Math.min(NICEST, getPriority(0) + STEPS_BEHIND));
  } catch {
    // A sandbox may forbid it. The thread then works as any other.
  }
}

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

stepBehind();
parentPort?.on('message', (request: SliceRequest) => {
  const { values, failures } = run(request);
  const texts = packTexts(values);
  if (!texts) throw new Error('what was encrypted or decrypted is not text');
  const reply: SliceReply = { id: request.id, texts, failures };
  parentPort?.postMessage(reply, [texts.buffer]);
});
parentPort?.postMessage('ready' satisfies Ready);
