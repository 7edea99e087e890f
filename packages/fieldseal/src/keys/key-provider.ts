/** Where a keyring comes from. */
import type { KeyringSnapshot } from './keyring-snapshot.js';

/**
 * A source of a keyring. `openKeyring` calls `load` once, and again at every refresh; `acknowledge` after each load,
 * once the loaded ring is in use; `close` at the end.
 */
export interface KeyProvider {
  /** Loads the ring. Rejects when there is none or it cannot be opened; it never returns a part of one. */
  load(): Promise<KeyringSnapshot>;
  /** Reports the generation in use, so that a rotation can wait for this process. */
  acknowledge?(generation: number): Promise<void>;
  /** Signs off. */
  close?(): Promise<void>;
}
