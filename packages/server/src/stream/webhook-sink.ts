/**
 * A webhook that lines are POSTed to, as `application/x-ndjson`, signed:
 *
 *     Fieldseal-Signature: t=<unix seconds>,v1=<hex of HMAC-SHA256(secret, t ‖ "." ‖ body)>
 */
import { FieldsealError, hmacSha256 } from 'fieldseal';
import type { AuditSink } from './audit-sink.js';

const TIMEOUT_MS = 10_000;
const SHORTEST_SECRET = 32;

export interface WebhookOptions {
  readonly url: string;
  /** `AUDIT_WEBHOOK_SECRET`; its UTF-8 bytes are the key. */
  readonly secret: string;
  readonly nowMs?: () => number;
}

/** @throws FieldsealError `ERR_CONFIG_INVALID`, without the address or the secret */
export function webhookSink({ url, secret, nowMs = Date.now }: WebhookOptions): AuditSink {
  const target = checkedUrl(url);
  const key = Buffer.from(secret);
  if (key.length < SHORTEST_SECRET) {
    throw new FieldsealError('ERR_CONFIG_INVALID', `AUDIT_WEBHOOK_SECRET must have at least ${SHORTEST_SECRET} bytes.`);
  }
  return {
    about: { kind: 'webhook', to: target.host },
    async deliver(lines, stop) {
      const body = Buffer.from(lines);
      const status = await post(target, body, signature(key, body, Math.floor(nowMs() / 1000)), stop);
      if (status >= 200 && status < 300) return;
      throw new FieldsealError('ERR_UNAVAILABLE', `The webhook at ${target.host} answered ${status}.`);
    },
  };
}

/** The header's value. */
function signature(key: Uint8Array, body: Uint8Array, seconds: number): string {
  const signed = Buffer.concat([Buffer.from(`${seconds}.`), body]);
  return `t=${seconds},v1=${hmacSha256(key, signed).toString('hex')}`;
}

async function post(target: URL, body: Uint8Array, signed: string, stop: AbortSignal): Promise<number> {
  try {
    const response = await fetch(target, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson', 'fieldseal-signature': signed },
      body,
      // Rows go where they were meant to go, and nowhere else.
      redirect: 'manual',
      signal: AbortSignal.any([stop, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    await response.body?.cancel();
    return response.status;
  } catch {
    if (stop.aborted) throw new FieldsealError('ERR_RUN_STOPPED', 'The stream was stopped.');
    throw new FieldsealError('ERR_UNAVAILABLE', `The webhook at ${target.host} cannot be reached.`);
  }
}

function checkedUrl(text: string): URL {
  const invalid = (rule: string) => new FieldsealError('ERR_CONFIG_INVALID', `The address of the webhook ${rule}.`);
  if (!URL.canParse(text)) throw invalid('is not a URL');
  const url = new URL(text);
  const isLoopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(url.hostname);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback))
    throw invalid('must begin with https:// (http:// only on this machine)');
  if (url.username !== '' || url.password !== '') throw invalid('must hold no user and no password');
  return url;
}
