/** The keyring at rest: what a store keeps. Nothing in it is secret; FORMAT.md §7 holds the bytes of wraps and MACs. */

/** What a key may be used for. A key has one purpose for life. */
export const KEY_PURPOSES = ['field', 'blind-index', 'audit-hmac', 'api-key-hash'] as const;
export type KeyPurpose = (typeof KEY_PURPOSES)[number];

/**
 * The life of a key: `pending` (readable everywhere, not yet writing), `primary` (writes and reads), `active` (reads
 * only), `disabled` (does nothing, could come back), `destroyed` (bytes gone, row kept).
 */
export const KEY_STATES = ['pending', 'primary', 'active', 'disabled', 'destroyed'] as const;
export type KeyState = (typeof KEY_STATES)[number];

/** One key at rest. */
export interface StoredKey {
  /** `v1`, `v2`, … unique among the keys of one purpose. */
  readonly version: string;
  readonly purpose: KeyPurpose;
  /** Non-zero u32, unique in the ring. */
  readonly id: number;
  readonly state: KeyState;
  /** RFC 3339 UTC with `Z`. */
  readonly createdAt: string;
  /** Root fingerprint (16 hex digits) → the wrapped 32 bytes, unpadded base64url. Empty once destroyed. */
  readonly wraps: Readonly<Record<string, string>>;
}

/** A whole ring at rest. `generation` grows by one with every change. */
export interface StoredKeyring {
  /** 32 hex digits, random, for life. */
  readonly id: string;
  readonly generation: number;
  readonly keys: readonly StoredKey[];
  /** Root fingerprint → MAC over id, generation and every key's version, id, purpose, state and wrap (hex). */
  readonly macs: Readonly<Record<string, string>>;
}
