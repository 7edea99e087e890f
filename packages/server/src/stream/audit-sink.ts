/** Where a stream of audit rows goes. */

export interface AuditSink {
  /** What the audit log says of it: a file’s name or a host, never a path or an address with secrets in it. */
  readonly about: { readonly kind: 'file' | 'webhook'; readonly to: string };
  /**
   * Hands lines over, each ending with a newline. They are kept when it returns. A failure that may pass is thrown as
   * `ERR_UNAVAILABLE`, and the same lines are handed over again.
   */
  deliver(lines: string, stop: AbortSignal): Promise<void>;
}
