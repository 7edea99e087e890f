/**
 * Many Fernet tokens at once: the AES of a whole chunk is one native call (cbc-stream.ts says why that is safe), and
 * its HMACs are made four at a time (hmac-lanes.ts). Each token is judged by itself: one that cannot be read is
 * reported at its place, and the others come out as if it were not there.
 *
 * These calls block until the batch is done.
 */
import { getFips } from 'node:crypto';
import { type ErrorCode, isFieldsealError } from '../errors.js';
import { writeStrictBase64Url } from './base64url.js';
import { AES_BLOCK_BYTES } from './cbc-stream.js';
import { decryptTextWith, encryptWith } from './fernet.js';
import { FernetChunk, MAX_CHUNKED_TOKEN_BYTES } from './fernet-chunk.js';
import { type FernetKey, unpaddedLength, writePadding } from './fernet-key.js';
import { FERNET_VERSION, isTokenByteLength, OVERHEAD_BYTES, secondsToWords, tokenBytesFor } from './fernet-token.js';
import { HmacLanes } from './hmac-lanes.js';
import { rotateWith } from './multi-fernet.js';
import { fillRandom } from './random-pool.js';
import { decodeUtf8Range } from './utf8.js';

/** A value of a batch that could not be worked on. */
export interface BatchFailure {
  /** Its place in the batch. */
  readonly index: number;
  readonly code: ErrorCode;
}

/** What became of a batch. */
export interface BatchResult {
  /** As many as were given, in their order; null in the place of a null, and of a failure. */
  readonly values: (string | null)[];
  /** In the order of their places. */
  readonly failures: readonly BatchFailure[];
}

// Out of reach while it is used: a batch that begins inside another (nothing in here calls back, but should that
// change) gets a chunk of its own.
const idleChunks: Record<Hashing, FernetChunk | null> = { lanes: null, native: null };

/**
 * What computes a batch's HMACs: `lanes`, WebAssembly where it may (hmac-lanes.ts), or only ever node:crypto, `native`.
 */
export type Hashing = 'lanes' | 'native';

/** A batch on its way. */
class Batch {
  readonly chunk: FernetChunk;
  /** The batch as it was when the call began: reading it may run the caller's code, which may begin a batch, too. */
  readonly inputs: readonly unknown[];
  readonly values: (string | null)[];
  readonly failures: BatchFailure[] = [];

  constructor(chunk: FernetChunk, inputs: readonly unknown[]) {
    this.chunk = chunk;
    this.inputs = inputs;
    this.values = new Array<string | null>(inputs.length).fill(null);
  }

  fail(index: number, code: ErrorCode): void {
    this.failures.push({ index, code });
  }

  /** Runs `work` for one value, and takes its result or its refusal. */
  attempt(index: number, work: () => string): void {
    try {
      this.values[index] = work();
    } catch (error) {
      if (!isFieldsealError(error)) throw error;
      this.fail(index, error.code);
    }
  }

  /** The positions of all tokens of the chunk. */
  positions(): number[] {
    const positions: number[] = [];
    for (let position = 0; position < this.chunk.count; position++) positions.push(position);
    return positions;
  }
}

function runBatch(given: readonly (string | null)[], wanted: Hashing, work: (batch: Batch) => void): BatchResult {
  const inputs = Array.from(given);
  const hashing = wanted === 'lanes' && getFips() === 0 ? 'lanes' : 'native';
  const chunk = idleChunks[hashing] ?? new FernetChunk(hashing === 'lanes' ? HmacLanes.open() : null);
  idleChunks[hashing] = null;
  const batch = new Batch(chunk, inputs);
  try {
    work(batch);
  } catch (error) {
    // Whatever the chunk's state is, nobody sees it again.
    chunk.erase();
    throw error;
  }
  chunk.clear();
  idleChunks[hashing] = chunk;
  batch.failures.sort((a, b) => a.index - b.index);
  return { values: batch.values, failures: batch.failures };
}

/**
 * Encrypts texts under one key, with the time of the call; null stays null. Failures: `ERR_VALUE_TYPE`,
 * `ERR_VALUE_NOT_TEXT`.
 */
export function encryptMany(
  key: FernetKey,
  values: readonly (string | null)[],
  hashing: Hashing = 'lanes',
): BatchResult {
  return runBatch(values, hashing, (batch) => {
    const { chunk, inputs } = batch;
    for (let index = 0; index < inputs.length; index++) {
      const value = inputs[index];
      if (value === null) continue;
      if (typeof value !== 'string') batch.fail(index, 'ERR_VALUE_TYPE');
      else if (!value.isWellFormed()) batch.fail(index, 'ERR_VALUE_NOT_TEXT');
      else {
        // A UTF-16 unit takes at most 3 bytes.
        const tokenBytes = tokenBytesFor(value.length * 3);
        if (tokenBytes > MAX_CHUNKED_TOKEN_BYTES) {
          batch.values[index] = encryptWith(key, value);
          continue;
        }
        if (!chunk.hasRoomFor(tokenBytes)) sealChunk(batch, key);
        const start = chunk.stagedEnd + AES_BLOCK_BYTES;
        const bytes = chunk.staged.write(value, start);
        const end = writePadding(chunk.staged, bytes, start + bytes);
        chunk.add(index, end - chunk.stagedEnd);
      }
    }
    sealChunk(batch, key);
  });
}

/** Encrypts the staged plaintexts of the chunk, and leaves it empty. */
function sealChunk(batch: Batch, key: FernetKey): void {
  const { chunk } = batch;
  if (chunk.count === 0) return;
  const positions = batch.positions();
  const nowMs = Date.now();
  const { high, low } = secondsToWords(Math.floor(nowMs / 1000));
  let at = 0;
  for (const position of positions) {
    fillRandom(chunk.staged, at, AES_BLOCK_BYTES, nowMs);
    at += chunk.blockBytesAt(position);
    const slot = chunk.slotAt(position);
    chunk.memory[slot] = FERNET_VERSION;
    chunk.memory.writeUInt32BE(high, slot + 1);
    chunk.memory.writeUInt32BE(low, slot + 5);
  }
  writeTokens(batch, key, positions, chunk.staged.subarray(0, at));
  chunk.clear();
}

/**
 * Encrypts `blocks`, [16 random bytes][padded plaintext] of the tokens at `positions`, and makes the tokens' texts
 * around what came out and the headers in their slots.
 */
function writeTokens(batch: Batch, key: FernetKey, positions: readonly number[], blocks: Buffer): void {
  const { chunk } = batch;
  chunk.unstage(key.cbc.encrypt(blocks), positions);
  chunk.sign(key.hmac, positions);
  for (const position of positions) batch.values[chunk.indexAt(position)] = chunk.textAt(position);
}

/**
 * Reads every token of the batch that fits into chunks, authenticates those, and hands the authentic ones of one key to
 * `open`; larger ones go to `openSingle`.
 */
function openMany(
  keys: readonly FernetKey[],
  tokens: readonly (string | null)[],
  hashing: Hashing,
  openSingle: (token: string) => string,
  open: (batch: Batch, key: FernetKey, positions: readonly number[]) => void,
): BatchResult {
  return runBatch(tokens, hashing, (batch) => {
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

/** Authenticates all tokens of the chunk before anything else of them is used, opens them, and leaves it empty. */
function openChunk(
  batch: Batch,
  keys: readonly FernetKey[],
  open: (batch: Batch, key: FernetKey, positions: readonly number[]) => void,
): void {
  const { chunk } = batch;
  let unread: readonly number[] = batch.positions();
  const authentic: [key: FernetKey, positions: readonly number[]][] = [];
  for (const key of keys) {
    if (unread.length === 0) break;
    const judged = chunk.authenticate(key.hmac, unread);
    authentic.push([key, judged.authentic]);
    unread = judged.others;
  }
  for (const position of unread) batch.fail(chunk.indexAt(position), 'ERR_DECRYPT_FAILED');
  for (const [key, positions] of authentic) {
    // Signed by the key, and yet no token of the only version there is.
    const isToken = (position: number) => chunk.memory[chunk.slotAt(position)] === FERNET_VERSION;
    const tokens = positions.filter(isToken);
    if (tokens.length < positions.length) {
      for (const position of positions) {
        if (!isToken(position)) batch.fail(chunk.indexAt(position), 'ERR_DECRYPT_FAILED');
      }
    }
    if (tokens.length > 0) open(batch, key, tokens);
  }
  chunk.clear();
}

/** Calls `use` with the place of each plaintext in `padded`; those that end in no padding fail. */
function forEachPlaintext(
  batch: Batch,
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
    if (length < 0) batch.fail(chunk.indexAt(position), 'ERR_DECRYPT_FAILED');
    else use(position, start, length);
  }
}

/**
 * Decrypts tokens to text, each under whichever key authenticates it; null stays null. Failures: `ERR_DECRYPT_FAILED`,
 * which never says why, `ERR_VALUE_NOT_TEXT`, `ERR_VALUE_TYPE`.
 */
export function decryptMany(
  keys: readonly FernetKey[],
  tokens: readonly (string | null)[],
  hashing: Hashing = 'lanes',
): BatchResult {
  return openMany(
    keys,
    tokens,
    hashing,
    (token) => decryptTextWith(keys, token, 'strict'),
    (batch, key, positions) => {
      const { chunk } = batch;
      const padded = key.cbc.decrypt(chunk.staged.subarray(0, chunk.stage(positions)));
      try {
        forEachPlaintext(batch, positions, padded, (position, start, length) => {
          batch.attempt(chunk.indexAt(position), () => decodeUtf8Range(padded, start, start + length));
        });
      } finally {
        padded.fill(0);
      }
    },
  );
}

/**
 * Re-encrypts tokens under the first key, as `MultiFernet.rotate` does: each keeps its time. The plaintext never
 * becomes a string: it is decrypted into a buffer, encrypted from there, and erased. Failures: `ERR_DECRYPT_FAILED`,
 * `ERR_VALUE_TYPE`.
 */
export function rotateMany(
  keys: readonly FernetKey[],
  tokens: readonly (string | null)[],
  hashing: Hashing = 'lanes',
): BatchResult {
  const [primary] = keys;
  if (!primary) throw new TypeError('rotateMany needs at least one key');
  return openMany(
    keys,
    tokens,
    hashing,
    (token) => rotateWith(keys, token, 'strict'),
    (batch, key, positions) => {
      const { chunk } = batch;
      const padded = key.cbc.decrypt(chunk.staged.subarray(0, chunk.stage(positions)));
      const nowMs = Date.now();
      const kept: number[] = [];
      let end = 0;
      forEachPlaintext(batch, positions, padded, (position, start) => {
        const blocks = start - AES_BLOCK_BYTES;
        // Random bytes take the place that was the IV's. The tokens move together where one failed.
        if (end !== blocks) padded.copyWithin(end, blocks, blocks + chunk.blockBytesAt(position));
        fillRandom(padded, end, AES_BLOCK_BYTES, nowMs);
        end += chunk.blockBytesAt(position);
        kept.push(position);
      });
      try {
        writeTokens(batch, primary, kept, padded.subarray(0, end));
      } finally {
        padded.fill(0);
      }
    },
  );
}
