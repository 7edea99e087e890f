/**
 * Many Fernet tokens at once: the AES of a whole chunk is one native call (cbc-stream.ts says why that is safe), and
 * its HMACs are made four at a time (hmac-lanes.ts). Each token is judged by itself: one that cannot be read is
 * reported at its place, and the others come out as if it were not there.
 *
 * These calls block until the batch is done.
 */
import { isUtf8 } from 'node:buffer';
import { type Batch, type BatchResult, type Hashing, hashingOf, runBatch } from './batch.js';
import { AES_BLOCK_BYTES } from './cbc-stream.js';
import { decryptTextWith, encryptWith, findKey, load } from './fernet.js';
import { decipherChunk, forEachPlaintext, openMany } from './fernet-batch-open.js';
import { MAX_CHUNKED_TOKEN_BYTES } from './fernet-chunk.js';
import { type FernetKey, writePadding } from './fernet-key.js';
import {
  FERNET_VERSION,
  SECONDS_AT,
  secondsToWords,
  type TokenSeconds,
  tokenBytesFor,
  tokenSeconds,
} from './fernet-token.js';
import { renewWith, rotateWith } from './multi-fernet.js';
import { fillRandom } from './random-pool.js';
import { assertUtf8, decodeUtf8OrNull } from './utf8.js';

/** The plaintext of a token, and what else the token carries. */
export interface DecipheredToken {
  /** The place of the key that authenticated it among those that were asked. */
  readonly keyIndex: number;
  /** In memory that it shares with its neighbours of the batch. */
  readonly bytes: Buffer;
  readonly seconds: TokenSeconds;
}

/** What a token is to be made of; without a time, that of the call. */
export interface Plaintext {
  /** Well-formed text, or bytes: whoever gives them has checked it. */
  readonly data: string | Uint8Array;
  readonly seconds: TokenSeconds | null;
}

/**
 * Encrypts texts under one key, with the time of the call; null stays null. Failures: `ERR_VALUE_TYPE`,
 * `ERR_VALUE_NOT_TEXT`.
 */
export function encryptMany(
  key: FernetKey,
  values: readonly (string | null)[],
  hashing: Hashing = hashingOf(),
): BatchResult {
  return runBatch(values, hashing, (batch) => {
    const now = secondsToWords(Math.floor(Date.now() / 1000));
    const { inputs } = batch;
    for (let index = 0; index < inputs.length; index++) {
      const value = inputs[index];
      if (value === null) continue;
      if (typeof value !== 'string') batch.fail(index, 'ERR_VALUE_TYPE');
      else if (!value.isWellFormed()) batch.fail(index, 'ERR_VALUE_NOT_TEXT');
      else stagePlaintext(batch, key, index, value, now.high, now.low);
    }
    sealChunk(batch, key);
  });
}

/** Makes a token of each plaintext under one key; null stays null. Nobody else changes the bytes meanwhile. */
export function sealMany(
  key: FernetKey,
  plaintexts: readonly (Plaintext | null)[],
  hashing: Hashing = hashingOf(),
): (string | null)[] {
  const { values } = runBatch(plaintexts, hashing, (batch) => {
    const now = secondsToWords(Math.floor(Date.now() / 1000));
    for (let index = 0; index < plaintexts.length; index++) {
      const plaintext = plaintexts[index] as Plaintext | null;
      if (plaintext === null) continue;
      const { high, low } = plaintext.seconds ?? now;
      stagePlaintext(batch, key, index, plaintext.data, high, low);
    }
    sealChunk(batch, key);
  });
  return values;
}

/** Puts a plaintext into the chunk, after those that have no room beside it were sealed; a large one is sealed at once. */
function stagePlaintext(
  batch: Batch,
  key: FernetKey,
  index: number,
  data: string | Uint8Array,
  high: number,
  low: number,
): void {
  const { chunk } = batch;
  const isText = typeof data === 'string';
  // A UTF-16 unit takes at most 3 bytes.
  const tokenBytes = tokenBytesFor(isText ? data.length * 3 : data.length);
  if (tokenBytes > MAX_CHUNKED_TOKEN_BYTES) {
    batch.values[index] = encryptWith(key, data, (BigInt(high) << 32n) | BigInt(low));
    return;
  }
  if (!chunk.hasRoomFor(tokenBytes)) sealChunk(batch, key);
  const start = chunk.stagedEnd + AES_BLOCK_BYTES;
  let bytes: number;
  if (isText) bytes = chunk.staged.write(data, start);
  else {
    chunk.staged.set(data, start);
    bytes = data.length;
  }
  const end = writePadding(chunk.staged, bytes, start + bytes);
  const slot = chunk.nextSlot;
  chunk.memory[slot] = FERNET_VERSION;
  chunk.memory.writeUInt32BE(high, slot + 1);
  chunk.memory.writeUInt32BE(low, slot + 5);
  chunk.add(index, end - chunk.stagedEnd);
}

/** Encrypts the staged plaintexts of the chunk, and leaves it empty. */
function sealChunk(batch: Batch, key: FernetKey): void {
  const { chunk } = batch;
  if (chunk.count === 0) return;
  const positions = batch.positions();
  const nowMs = Date.now();
  let at = 0;
  for (const position of positions) {
    fillRandom(chunk.staged, at, AES_BLOCK_BYTES, nowMs);
    at += chunk.blockBytesAt(position);
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
 * Decrypts tokens to text, each under whichever key authenticates it; null stays null. Failures: `ERR_DECRYPT_FAILED`,
 * which never says why, `ERR_VALUE_NOT_TEXT`, `ERR_VALUE_TYPE`.
 */
export function decryptMany(
  keys: readonly FernetKey[],
  tokens: readonly (string | null)[],
  hashing: Hashing = hashingOf(),
): BatchResult {
  return openMany(
    keys,
    tokens,
    hashing,
    (token) => decryptTextWith(keys, token, 'strict'),
    (batch, keyIndex, positions) => {
      const { chunk } = batch;
      const padded = decipherChunk(batch, keys[keyIndex] as FernetKey, positions);
      try {
        forEachPlaintext(batch, positions, padded, (position, start, length) => {
          // No closure and no object for each value: they would be as much garbage as the texts themselves.
          const index = chunk.indexAt(position);
          const text = decodeUtf8OrNull(padded, start, start + length);
          if (text === null) batch.fail(index, 'ERR_VALUE_NOT_TEXT');
          else batch.values[index] = text;
        });
      } finally {
        padded.fill(0);
      }
    },
  );
}

/**
 * Decrypts tokens to bytes, each under whichever key authenticates it; null stays null. Failures: `ERR_DECRYPT_FAILED`,
 * which never says why, `ERR_VALUE_TYPE`. The bytes are the caller's, who may keep them: nothing erases them.
 */
export function decipherMany(
  keys: readonly FernetKey[],
  tokens: readonly (string | null)[],
  hashing: Hashing = hashingOf(),
): BatchResult<DecipheredToken> {
  return openMany<DecipheredToken>(
    keys,
    tokens,
    hashing,
    (token) => {
      const loaded = load(token, 'strict');
      const key = findKey(keys, loaded);
      const seconds = tokenSeconds(loaded.buffer, SECONDS_AT);
      return { keyIndex: keys.indexOf(key), bytes: key.decipher(loaded), seconds };
    },
    (batch, keyIndex, positions) => {
      const { chunk } = batch;
      const padded = decipherChunk(batch, keys[keyIndex] as FernetKey, positions);
      forEachPlaintext(batch, positions, padded, (position, start, length) => {
        // What the stream made in the place of the IV is for nobody to see.
        for (let i = start - AES_BLOCK_BYTES; i < start; i++) padded[i] = 0;
        batch.values[chunk.indexAt(position)] = {
          keyIndex,
          bytes: padded.subarray(start, start + length),
          seconds: tokenSeconds(chunk.memory, chunk.slotAt(position) + 1),
        };
      });
    },
  );
}

/**
 * Under which of the keys each token is that opens to text, by its place; null stays null. The texts never become strings.
 * Failures: `ERR_DECRYPT_FAILED`, `ERR_VALUE_NOT_TEXT`, `ERR_VALUE_TYPE`.
 */
export function findTextKeys(
  keys: readonly FernetKey[],
  tokens: readonly (string | null)[],
  hashing: Hashing = hashingOf(),
): BatchResult<number> {
  return openMany<number>(
    keys,
    tokens,
    hashing,
    (token) => {
      const loaded = load(token, 'strict');
      const key = findKey(keys, loaded);
      const bytes = key.decipher(loaded);
      try {
        assertUtf8(bytes);
        return keys.indexOf(key);
      } finally {
        bytes.fill(0);
      }
    },
    (batch, keyIndex, positions) => {
      const { chunk } = batch;
      const padded = decipherChunk(batch, keys[keyIndex] as FernetKey, positions);
      try {
        const unpadded: [index: number, start: number, end: number][] = [];
        forEachPlaintext(batch, positions, padded, (position, start, length) => {
          for (let i = start - AES_BLOCK_BYTES; i < start; i++) padded[i] = 0;
          unpadded.push([chunk.indexAt(position), start, start + length]);
        });
        // Zeros before each text and its padding behind it are ASCII: it is all UTF-8 exactly when each of them is.
        const areTexts = isUtf8(padded);
        for (const [index, start, end] of unpadded) {
          if (areTexts || isUtf8(padded.subarray(start, end))) batch.values[index] = keyIndex;
          else batch.fail(index, 'ERR_VALUE_NOT_TEXT');
        }
      } finally {
        padded.fill(0);
      }
    },
  );
}

/**
 * Encrypts the tokens at `positions`, of which one key is known to be theirs, under the first key; each keeps its time. The
 * plaintext never becomes a string: it is decrypted into a buffer, encrypted from there, and erased.
 */
function resealChunk(batch: Batch, keys: readonly FernetKey[], keyIndex: number, positions: readonly number[]): void {
  const { chunk } = batch;
  const padded = decipherChunk(batch, keys[keyIndex] as FernetKey, positions);
  const nowMs = Date.now();
  const kept: number[] = [];
  let end = 0;
  try {
    forEachPlaintext(batch, positions, padded, (position, start) => {
      const blocks = start - AES_BLOCK_BYTES;
      // Random bytes take the place that was the IV's. The tokens move together where one failed.
      if (end !== blocks) padded.copyWithin(end, blocks, blocks + chunk.blockBytesAt(position));
      fillRandom(padded, end, AES_BLOCK_BYTES, nowMs);
      end += chunk.blockBytesAt(position);
      kept.push(position);
    });
    writeTokens(batch, keys[0] as FernetKey, kept, padded.subarray(0, end));
  } finally {
    padded.fill(0);
  }
}

/**
 * Re-encrypts tokens under the first key, as `MultiFernet.rotate` does: each keeps its time. Failures:
 * `ERR_DECRYPT_FAILED`, `ERR_VALUE_TYPE`.
 */
export function rotateMany(
  keys: readonly FernetKey[],
  tokens: readonly (string | null)[],
  hashing: Hashing = hashingOf(),
): BatchResult {
  if (keys.length === 0) throw new TypeError('rotateMany needs at least one key');
  return openMany(
    keys,
    tokens,
    hashing,
    (token) => rotateWith(keys, token, 'strict'),
    (batch, keyIndex, positions) => resealChunk(batch, keys, keyIndex, positions),
  );
}

/** As `rotateMany`; but a token that is under the first key already, and opens, comes back as it is. */
export function renewMany(
  keys: readonly FernetKey[],
  tokens: readonly (string | null)[],
  hashing: Hashing = hashingOf(),
): BatchResult {
  return openMany(
    keys,
    tokens,
    hashing,
    (token) => renewWith(keys, token),
    (batch, keyIndex, positions) => {
      if (keyIndex > 0) resealChunk(batch, keys, keyIndex, positions);
      else keepChunk(batch, keys[0] as FernetKey, positions);
    },
  );
}

/** Gives back the tokens at `positions` as they are: those that open. */
function keepChunk(batch: Batch, key: FernetKey, positions: readonly number[]): void {
  const { chunk, inputs, values } = batch;
  const padded = decipherChunk(batch, key, positions);
  try {
    forEachPlaintext(batch, positions, padded, (position) => {
      const index = chunk.indexAt(position);
      values[index] = inputs[index] as string;
    });
  } finally {
    padded.fill(0);
  }
}
