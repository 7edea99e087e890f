/** SHA-256 and HMAC as their specifications read, slow and readable: the twin of the WebAssembly. */

const bitsOfFraction = (root: number) => Math.floor((root % 1) * 2 ** 32) >>> 0;

/** FIPS 180-4 §4.2.2, §5.3.3: from the roots of the first primes. */
const primes = Array.from({ length: 312 }, (_, i) => i).filter(
  (n) => n > 1 && !Array.from({ length: n - 2 }, (_, i) => i + 2).some((divisor) => n % divisor === 0),
);
const K = primes.map((prime) => bitsOfFraction(Math.cbrt(prime)));
const INITIAL = primes.slice(0, 8).map((prime) => bitsOfFraction(Math.sqrt(prime)));

const rotate = (x: number, bits: number) => (x >>> bits) | (x << (32 - bits));

/** FIPS 180-4 §6.2. */
export function twinSha256(message: Uint8Array): Buffer {
  const padded = Buffer.alloc(64 * Math.ceil((message.length + 9) / 64));
  padded.set(message);
  padded[message.length] = 0x80;
  padded.writeBigUInt64BE(BigInt(message.length) * 8n, padded.length - 8);
  const state = [...INITIAL];
  for (let at = 0; at < padded.length; at += 64) {
    const w = Array.from({ length: 16 }, (_, t) => padded.readUInt32BE(at + 4 * t));
    for (let t = 16; t < 64; t++) {
      const [w2, w7, w15, w16] = [2, 7, 15, 16].map((back) => w[t - back]) as [number, number, number, number];
      const sigma0 = rotate(w15, 7) ^ rotate(w15, 18) ^ (w15 >>> 3);
      const sigma1 = rotate(w2, 17) ^ rotate(w2, 19) ^ (w2 >>> 10);
      w.push((sigma1 + w7 + sigma0 + w16) >>> 0);
    }
    let [a, b, c, d, e, f, g, h] = state as [number, number, number, number, number, number, number, number];
    for (let t = 0; t < 64; t++) {
      const sum1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
      const t1 = h + sum1 + ((e & f) ^ (~e & g)) + (K[t] as number) + (w[t] as number);
      const sum0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
      const t2 = sum0 + ((a & b) ^ (a & c) ^ (b & c));
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) >>> 0, c, b, a, (t1 + t2) >>> 0];
    }
    for (const [i, value] of [a, b, c, d, e, f, g, h].entries()) state[i] = ((state[i] as number) + value) >>> 0;
  }
  const digest = Buffer.alloc(32);
  for (const [i, word] of state.entries()) digest.writeUInt32BE(word, 4 * i);
  return digest;
}

/** RFC 2104 §2, for keys of at most 64 bytes. */
export function twinHmac(key: Uint8Array, message: Uint8Array): Buffer {
  const block = Buffer.alloc(64);
  block.set(key);
  const pad = (byte: number) => block.map((keyByte) => keyByte ^ byte);
  return twinSha256(Buffer.concat([pad(0x5c), twinSha256(Buffer.concat([pad(0x36), message]))]));
}
