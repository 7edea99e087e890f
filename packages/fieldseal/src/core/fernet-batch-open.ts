/** The way of a batch of Fernet tokens up to their plaintexts, whatever becomes of those. */
import { writeStrictBase64Url } from './base64url.js';
import { type Batch, type BatchResult, type Hashing, runBatch } from './batch.js';
import { AES_BLOCK_BYTES } from './cbc-stream.js';
import { MAX_CHUNKED_TOKEN_BYTES } from './fernet-chunk.js';
import { type FernetKey, unpaddedLength } from './fernet-key.js';
import { FERNET_VERSION, isTokenByteLength, OVERHEAD_BYTES } from './fernet-token.js';

/** From so many tokens on, to look at the first of them costs less than to try keys on all that are not theirs. */
const WORTH_A_LOOK = 16;

/**
 * Reads every token of the batch that fits into chunks, authenticates those, and hands the authentic ones of one key to
 * `open`; larger ones go to `openSingle`.
 */
export function openMany<T = string>(
  keys: readonly FernetKey[],
  tokens: readonly (string | null)[],
  hashing: Hashing,
  openSingle: (token: string) => T,
  open: (batch: Batch<T>, keyIndex: number, positions: readonly number[]) => void,
): BatchResult<T> {
  return runBatch<T>(tokens, hashing, (batch) => {
    const { chunk, inputs } = batch;
    for (let index = 0; index < inputs.length; index++) {
      const token = inputs[index];
      if (token === null) continue;
      if (typeof token !== 'string') {
        batch.fail(index, 'ERR_VALUE_TYPE');
        continue;
      }
      const mostBytes = Math.ceil(token.length / 4) * 3;
      if (mostBytes > MAX_CHUNKED_TOKEN_BYTES) {
        batch.attempt(index, () => openSingle(token));
        continue;
      }
      if (!chunk.hasRoomFor(mostBytes)) openChunk(batch, keys, open);
      const bytes = writeStrictBase64Url(token, chunk.memory, chunk.nextSlot);
      if (!isTokenByteLength(bytes)) {
        batch.fail(index, 'ERR_DECRYPT_FAILED');
        continue;
      }
      chunk.add(index, bytes - OVERHEAD_BYTES + AES_BLOCK_BYTES);
      chunk.keepGivenMac(chunk.count - 1);
    }
    openChunk(batch, keys, open);
  });
}

/**
 * The places of the keys in the order in which a chunk is asked for them: that of its first token leads, since the tokens of a
 * column are mostly under one key. It is the first of the keys that authenticates that token, so that no key is
 * overtaken by a later one that signs alike.
 */
function keyOrder({ chunk }: Batch<unknown>, keys: readonly FernetKey[]): number[] {
  const order = [...keys.keys()];
  if (order.length < 2 || chunk.count < WORTH_A_LOOK) return order;
  const first = keys.findIndex(({ hmac }) => chunk.authenticate(hmac, [0]).authentic.length > 0);
  return first > 0 ? [first, ...order.filter((keyIndex) => keyIndex !== first)] : order;
}

/** Authenticates all tokens of the chunk before anything else of them is used, opens them, and leaves it empty. */
function openChunk<T>(
  batch: Batch<T>,
  keys: readonly FernetKey[],
  open: (batch: Batch<T>, keyIndex: number, positions: readonly number[]) => void,
): void {
  const { chunk } = batch;
  let unread: readonly number[] = batch.positions();
  const authentic: [keyIndex: number, positions: readonly number[]][] = [];
  for (const keyIndex of keyOrder(batch, keys)) {
    if (unread.length === 0) break;
    const judged = chunk.authenticate((keys[keyIndex] as FernetKey).hmac, unread);
    authentic.push([keyIndex, judged.authentic]);
    unread = judged.others;
  }
  for (const position of unread) batch.fail(chunk.indexAt(position), 'ERR_DECRYPT_FAILED');
  for (const [keyIndex, positions] of authentic) {
    const isToken = (position: number) => chunk.memory[chunk.slotAt(position)] === FERNET_VERSION;
    const tokens = positions.every(isToken) ? positions : positions.filter(isToken);
    if (tokens.length < positions.length) {
      // Signed by the key, and yet no token of the only version there is.
      for (const position of positions) {
        if (!isToken(position)) batch.fail(chunk.indexAt(position), 'ERR_DECRYPT_FAILED');
      }
    }
    if (tokens.length > 0) open(batch, keyIndex, tokens);
  }
  chunk.clear();
}

/** Calls `use` with the place of each plaintext in `padded`; those that end in no padding fail. */
export function forEachPlaintext<T>(
  batch: Batch<T>,
  positions: readonly number[],
  padded: Buffer,
  use: (position: number, start: number, length: number) => void,
): void {
  const { chunk } = batch;
  let at = 0;
  for (const position of positions) {
    // What stands in the place of the IV means nothing, and is passed over.
    const start = at + AES_BLOCK_BYTES;
    const end = at + chunk.blockBytesAt(position);
    at = end;
    const length = unpaddedLength(padded, start, end);
    if (length >= 0) use(position, start, length);
    else {
      padded.fill(0, start - AES_BLOCK_BYTES, end);
      batch.fail(chunk.indexAt(position), 'ERR_DECRYPT_FAILED');
    }
  }
}

/** Decrypts the tokens at `positions`, of which one key is known to be theirs, in one call. */
export function decipherChunk<T>({ chunk }: Batch<T>, key: FernetKey, positions: readonly number[]): Buffer {
  return key.cbc.decrypt(chunk.staged.subarray(0, chunk.stage(positions)));
}
