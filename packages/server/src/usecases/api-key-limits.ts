/** What bounds the use of an API key, and what it carries: checking it, changing it, telling it to the audit log. */
import { FieldsealError } from 'fieldseal';
import Type, { type Static } from 'typebox';
import { canonicalAllowedIp } from '../auth/allowed-ip.js';
import type { ApiKeyLimits } from '../store/store.js';

const MAX_ALLOWED_IPS = 50;
/** As JSON text, in UTF-8. */
const MAX_METADATA_BYTES = 4096;
/** The longest IPv6 address that holds an IPv4 one, and `/128`. */
const MAX_ADDRESS_CHARS = 49;

const AllowedIps = Type.Array(Type.String({ minLength: 2, maxLength: MAX_ADDRESS_CHARS }), {
  minItems: 1,
  maxItems: MAX_ALLOWED_IPS,
  description: 'Addresses and networks (`10.0.0.0/8`, `2001:db8::/32`) that it may be used from.',
});
const RateLimit = Type.Integer({
  minimum: 1,
  maximum: 1_000_000,
  description: 'Uses in each window; together with rate_window_seconds.',
});
const RateWindow = Type.Integer({ minimum: 1, maximum: 86_400 });
const Quota = Type.Integer({ minimum: 1, maximum: 1_000_000_000_000, description: 'Uses in all.' });
const Metadata = Type.Object(
  {},
  { additionalProperties: true, description: 'Yours, 4 KiB of JSON text at most. Not encrypted: no secrets.' },
);

/** The fields of a new key. */
export const newLimitFields = {
  allowed_ips: Type.Optional(AllowedIps),
  rate_limit: Type.Optional(RateLimit),
  rate_window_seconds: Type.Optional(RateWindow),
  quota: Type.Optional(Quota),
  metadata: Type.Optional(Metadata),
};
/** The fields of a change: null takes a limit off, and what is left out stays. */
export const changedLimitFields = {
  allowed_ips: Type.Optional(Type.Union([AllowedIps, Type.Null()])),
  rate_limit: Type.Optional(Type.Union([RateLimit, Type.Null()])),
  rate_window_seconds: Type.Optional(Type.Union([RateWindow, Type.Null()])),
  quota: Type.Optional(Type.Union([Quota, Type.Null()])),
  metadata: Type.Optional(Type.Union([Metadata, Type.Null()])),
};
const ChangedLimitsSchema = Type.Object(changedLimitFields);
export type LimitsInput = Static<typeof ChangedLimitsSchema>;

function invalid(sentence: string): FieldsealError {
  return new FieldsealError('ERR_INPUT_INVALID', sentence);
}

/** What comes out of `limits` when `input` is put over it. @throws FieldsealError `ERR_INPUT_INVALID` */
export function changedLimits(limits: ApiKeyLimits, input: LimitsInput): ApiKeyLimits {
  const { allowed_ips: ips, quota, metadata } = input;
  return {
    allowedIps: ips === undefined ? limits.allowedIps : ips && allowedIpList(ips),
    ...changedRate(limits, input),
    quota: quota === undefined ? limits.quota : quota,
    metadata: metadata === undefined ? limits.metadata : metadata && metadataText(metadata),
  };
}

function allowedIpList(given: readonly string[]): string[] {
  const list = given.map((text, index) => {
    const canonical = canonicalAllowedIp(text);
    if (canonical !== null) return canonical;
    throw invalid(
      `allowed_ips.${index} is neither an IPv4 or IPv6 address nor a network (an address, / and a length, and nothing behind the length).`,
    );
  });
  return [...new Set(list)];
}

function changedRate(
  limits: ApiKeyLimits,
  { rate_limit: limit, rate_window_seconds: window }: LimitsInput,
): Pick<ApiKeyLimits, 'rateLimit' | 'rateWindowSeconds'> {
  // Taking one of the two off takes off both, unless the other is given.
  const isOff = (limit === null && !window) || (window === null && !limit);
  const rateLimit = isOff ? null : limit === undefined ? limits.rateLimit : limit;
  const rateWindowSeconds = isOff ? null : window === undefined ? limits.rateWindowSeconds : window;
  if ((rateLimit === null) !== (rateWindowSeconds === null))
    throw invalid('rate_limit and rate_window_seconds go together: give both, or neither.');
  return { rateLimit, rateWindowSeconds };
}

function metadataText(metadata: object): string {
  const tooLarge = () => invalid('metadata is larger than 4 KiB as JSON text.');
  let text: string;
  try {
    text = JSON.stringify(metadata);
  } catch (error) {
    // Nested so deeply that the stack ends.
    if (error instanceof RangeError) throw tooLarge();
    throw error;
  }
  if (Buffer.byteLength(text) > MAX_METADATA_BYTES) throw tooLarge();
  return text;
}

/** The limits that there are, for the audit log: never what the metadata says. */
export function auditedLimits({ metadata, ...limits }: ApiKeyLimits): Record<string, unknown> {
  const set = Object.entries(limits).filter(([, limit]) => limit !== null);
  return { ...Object.fromEntries(set), ...(metadata !== null && { metadata: 'set' }) };
}
