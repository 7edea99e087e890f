/**
 * SHA-256 (FIPS 180-4) of four messages at once, one in each lane of a 128-bit vector, written in WebAssembly: the same
 * steps as in the specification, in which each variable is four numbers. `write.ts` puts the bytes into
 * `src/core/sha256-lanes-bytes.ts`, and a test makes them again.
 *
 *     memory, in bytes:    0  K, 64 words              640  HMAC's inner state, 8 vectors
 *                        256  state, 8 vectors         768  HMAC's outer state, 8 vectors
 *                        384  W, 16 vectors            896  room for a key's block    1024  the caller's own
 */
import { INNER_AT, OUTER_AT, STATE_AT } from '../src/core/hmac-lanes.js';
import {
  add,
  addNumbers,
  and,
  type Code,
  call,
  constant,
  getLocal,
  I32,
  load,
  loadToAllLanes,
  or,
  repeat,
  select,
  setLocal,
  shiftLeft,
  shiftRight,
  shuffle,
  store,
  toAllLanes,
  V128,
  wasmModule,
  xor,
} from './wasm-code.js';

const W_AT = 384;

/** FIPS 180-4 §4.2.2. */
const K = [
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
  0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
  0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
  0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
  0xc67178f2,
];
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);
const rotateRight = (x: Code, bits: number): Code => or(shiftRight(x, bits), shiftLeft(x, 32 - bits));

// FIPS 180-4 §4.1.2.
const ch = (x: Code, y: Code, z: Code) => select(y, z, x);
const sum0 = (x: Code) => xor(rotateRight(x, 2), rotateRight(x, 13), rotateRight(x, 22));
const sum1 = (x: Code) => xor(rotateRight(x, 6), rotateRight(x, 11), rotateRight(x, 25));
const sigma0 = (x: Code) => xor(rotateRight(x, 7), rotateRight(x, 18), shiftRight(x, 3));
const sigma1 = (x: Code) => xor(rotateRight(x, 17), rotateRight(x, 19), shiftRight(x, 10));

/**
 * The bytes of each lane the other way round: the specification's words are big-endian, WebAssembly's little-endian.
 */
const swapBytes = (x: Code) => shuffle(x, x, [3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12]);
const LOW_LANES = [0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23];
const HIGH_LANES = [8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31];
const LOW_HALVES = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
const HIGH_HALVES = [8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31];

/** Turns four vectors in locals `from … from+3` as a matrix is transposed; `spare` are four more locals. */
function transpose(from: number, spare: number): Code {
  const [a, b, c, d] = numbers(4).map((i) => getLocal(from + i)) as [Code, Code, Code, Code];
  const [e, f, g, h] = numbers(4).map((i) => getLocal(spare + i)) as [Code, Code, Code, Code];
  return [
    setLocal(spare, shuffle(a, b, LOW_LANES)),
    setLocal(spare + 1, shuffle(a, b, HIGH_LANES)),
    setLocal(spare + 2, shuffle(c, d, LOW_LANES)),
    setLocal(spare + 3, shuffle(c, d, HIGH_LANES)),
    setLocal(from, shuffle(e, g, LOW_HALVES)),
    setLocal(from + 1, shuffle(e, g, HIGH_HALVES)),
    setLocal(from + 2, shuffle(f, h, LOW_HALVES)),
    setLocal(from + 3, shuffle(f, h, HIGH_HALVES)),
  ];
}

/** Function 0, `rounds()`: brings the state on by the block in W (FIPS 180-4 §6.2.2). */
function rounds() {
  const [counter, kAt] = [0, 1];
  const w = (t: number) => 2 + (t % 16);
  const variable = (i: number) => 18 + i;
  const [t1, both, before] = [26, 27, 28];
  /** Which local holds a … h in round t: they move on by one each round, and the locals stay where they are. */
  const names = (t: number) => numbers(8).map((i) => variable((i + 8 * 16 - t) % 8));

  const round = (t: number): Code => {
    const locals = names(t);
    const [a, b, , d, e, f, g, h] = locals.map(getLocal) as [Code, Code, Code, Code, Code, Code, Code, Code];
    const k = loadToAllLanes(getLocal(kAt), 4 * t);
    return [
      setLocal(t1, add(h, sum1(e), ch(e, f, g), k, getLocal(w(t)))),
      // Maj(a, b, c) = ((a ⊕ b) ∧ (b ⊕ c)) ⊕ b, and b ⊕ c is the a ⊕ b of the round before.
      setLocal(both, xor(a, b)),
      setLocal(locals[3] as number, add(d, getLocal(t1))),
      setLocal(locals[7] as number, add(getLocal(t1), sum0(a), xor(and(getLocal(both), getLocal(before)), b))),
      setLocal(before, getLocal(both)),
    ];
  };
  /** W of round t + 16, in the place of W of round t. */
  const schedule = (t: number): Code =>
    setLocal(w(t), add(getLocal(w(t)), sigma0(getLocal(w(t + 1))), getLocal(w(t + 9)), sigma1(getLocal(w(t + 14)))));

  const state = (i: number) => load(constant(0), STATE_AT + 16 * i);
  return {
    params: 0,
    locals: [
      [2, I32],
      [27, V128],
    ],
    body: [
      numbers(16).map((t) => setLocal(w(t), load(constant(0), W_AT + 16 * t))),
      numbers(8).map((i) => setLocal(variable(i), state(i))),
      setLocal(before, xor(getLocal(variable(1)), getLocal(variable(2)))),
      setLocal(kAt, constant(0)),
      setLocal(counter, constant(4)),
      repeat(counter, numbers(16).map(round), [
        numbers(16).map(schedule),
        setLocal(kAt, addNumbers(getLocal(kAt), constant(64))),
      ]),
      numbers(8).map((i) => store(constant(0), add(state(i), getLocal(variable(i))), STATE_AT + 16 * i)),
    ],
  } as const;
}

/**
 * Function 1, `absorb(p0, p1, p2, p3, blocks)`: brings the state on by `blocks` blocks of 64 bytes from each address.
 */
function absorb() {
  const blocks = 4;
  const [from, spare] = [5, 9];
  return {
    name: 'absorb',
    params: 5,
    locals: [[8, V128]],
    body: repeat(blocks, [
      numbers(4).map((quarter) => [
        numbers(4).map((lane) => setLocal(from + lane, swapBytes(load(getLocal(lane), 16 * quarter)))),
        transpose(from, spare),
        numbers(4).map((i) => store(constant(0), getLocal(from + i), W_AT + 64 * quarter + 16 * i)),
      ]),
      call(0),
      numbers(4).map((lane) => setLocal(lane, addNumbers(getLocal(lane), constant(64)))),
    ]),
  } as const;
}

/**
 * Function 2, `hmac(p0, p1, p2, p3, blocks, o0, o1, o2, o3)`: the HMACs (RFC 2104) of the padded messages at p0 … p3,
 * of `blocks` blocks each, to o0 … o3; from the states behind the key's two blocks at INNER_AT and OUTER_AT.
 */
function hmac() {
  const [out, from, spare] = [5, 9, 13];
  const copy = (fromAt: number, toAt: number) =>
    numbers(8).map((i) => store(constant(0), load(constant(0), fromAt + 16 * i), toAt + 16 * i));
  const setW = (t: number, value: number) => store(constant(0), toAllLanes(value), W_AT + 16 * t);
  return {
    name: 'hmac',
    params: 9,
    locals: [[8, V128]],
    body: [
      copy(INNER_AT, STATE_AT),
      call(1, ...numbers(5).map(getLocal)),
      // The outer message is the inner hash, as words already, and its padding: 0x80, zeros, its bits with the key's
      // block.
      copy(STATE_AT, W_AT),
      setW(8, 0x8000_0000 | 0),
      [9, 10, 11, 12, 13, 14].map((t) => setW(t, 0)),
      setW(15, (64 + 32) * 8),
      copy(OUTER_AT, STATE_AT),
      call(0),
      numbers(2).map((half) => [
        numbers(4).map((i) => setLocal(from + i, load(constant(0), STATE_AT + 64 * half + 16 * i))),
        transpose(from, spare),
        numbers(4).map((lane) => store(getLocal(out + lane), swapBytes(getLocal(from + lane)), 16 * half)),
      ]),
    ],
  } as const;
}

/** The module, with memory of three pages of 64 KiB. */
export function sha256LanesModule(): Buffer {
  const k = Buffer.alloc(4 * K.length);
  for (const [t, word] of K.entries()) k.writeUInt32LE(word, 4 * t);
  return wasmModule([rounds(), absorb(), hmac()], 3, k);
}
