/** Requests that carried an `Idempotency-Key`, and what a store does with them. */

/** Who sent a key, and the key: another caller's same key is another one. */
export interface IdempotencyKey {
  readonly subject: string;
  readonly key: string;
}

/** What is known of a request that came before. */
export interface RememberedRequest {
  readonly requestHash: string;
  /** What it made. */
  readonly resourceId: number | null;
}

/** Remembers for 24 hours by the database's clock. Used in the transaction of what the request makes, or not at all. */
export interface IdempotencyRepository {
  /**
   * Null: the request is the first with this key, and is remembered. One that comes at the same time waits until this
   * transaction has ended.
   */
  claim(key: IdempotencyKey, requestHash: string): Promise<RememberedRequest | null>;
  /** Notes what the request of this transaction made. */
  settle(key: IdempotencyKey, resourceId: number): Promise<void>;
}
