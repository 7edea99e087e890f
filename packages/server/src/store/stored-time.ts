/** Times that callers give, as the time columns hold them. */

/**
 * An RFC 3339 time in UTC with milliseconds: SQLite compares times as texts, so all must be written alike.
 * @throws RangeError when it is no time
 */
export function storedTime(rfc3339: string): string {
  return new Date(rfc3339).toISOString();
}
