/** JWTs that were verified a moment ago: a caller that asks often is not verified anew each time. */
import type { Principal } from '../auth/principal.js';
import { type Clock, SYSTEM_CLOCK } from './watch-revision.js';

/** How long the outcome counts. A key that its issuer takes back is refused that much later. */
const KEPT_MS = 10_000;
const MAX_TOKENS = 1000;

interface Verified {
  readonly principal: Principal;
  readonly untilMonotonicMs: number;
  /** The token's `exp`, without any tolerance: behind it, it is verified anew. */
  readonly untilWallMs: number;
}

/** Only tokens that are valid get in. They are kept under a hash of theirs, never as they are. */
export class VerifiedTokens {
  readonly #verify: (token: string) => Promise<Principal>;
  readonly #hash: (token: string) => string;
  readonly #clock: Clock;
  readonly #verified = new Map<string, Verified>();

  /** @param hash keyed, so that nothing can be learned from how long a look-up takes */
  constructor(
    verify: (token: string) => Promise<Principal>,
    hash: (token: string) => string,
    clock: Clock = SYSTEM_CLOCK,
  ) {
    this.#verify = verify;
    this.#hash = hash;
    this.#clock = clock;
  }

  /** @throws FieldsealError `ERR_UNAUTHENTICATED` */
  async verify(token: string): Promise<Principal> {
    const hash = this.#hash(token);
    const known = this.#verified.get(hash);
    if (known) {
      const isYoung = this.#clock.monotonicMs() < known.untilMonotonicMs;
      if (isYoung && this.#clock.wallMs() < known.untilWallMs) return known.principal;
      this.#verified.delete(hash);
    }
    const beganMs = this.#clock.monotonicMs();
    const principal = await this.#verify(token);
    if (this.#verified.size >= MAX_TOKENS) this.#verified.delete(this.#verified.keys().next().value as string);
    this.#verified.set(hash, {
      principal,
      untilMonotonicMs: beganMs + KEPT_MS,
      untilWallMs: expiryMs(token),
    });
    return principal;
  }
}

/** Of a token that was verified; 0 for one without an end. */
function expiryMs(token: string): number {
  const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
  const exp = (claims as { exp?: unknown }).exp;
  return typeof exp === 'number' ? exp * 1000 : 0;
}
