/** The `plaintext` scheme: what stood in a column before it was encrypted. It is read during a migration only. */
import type { Scheme } from './scheme.js';

export const plaintextScheme: Scheme = {
  name: 'plaintext',
  open(_place, _ring, stored) {
    const bytes = typeof stored === 'string' ? Buffer.from(stored, 'utf8') : Buffer.from(stored);
    return {
      scheme: 'plaintext',
      keyVersion: null,
      bytes,
      decode: (codec) =>
        codec.decodePlaintext && typeof stored === 'string' ? codec.decodePlaintext(stored) : codec.decode(bytes),
    };
  },
};
