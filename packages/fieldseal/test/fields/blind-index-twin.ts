/** Values of blind indexes as FORMAT.md §5 draws them, slow and readable: the twin. */
import { createHmac, hkdfSync } from 'node:crypto';
import { twinLp } from './xaes-twin.js';

const LABEL = 'fieldseal/blind-index/1';

/** Where an index stands: the tenant (empty for none), and the two halves of its contextId. */
export interface TwinIndexPlace {
  readonly tenant: string;
  readonly table: string;
  readonly column: string;
}

/** The value of `parts` in `bits` bits under a blind-index key of the ring. */
export function twinIndexValue(secret: Buffer, place: TwinIndexPlace, bits: number, ...parts: string[]): string {
  const info = twinLp(LABEL, place.tenant, place.table, place.column);
  const key = Buffer.from(hkdfSync('sha256', secret, 'fieldseal/blind-index/v1', info, 32));
  const hash = createHmac('sha256', key)
    .update(twinLp(LABEL, ...parts))
    .digest('hex');
  const kept = BigInt(`0x${hash}`) >> BigInt(256 - bits);
  const bytes = Math.ceil(bits / 8);
  return (kept << BigInt(8 * bytes - bits)).toString(16).padStart(2 * bytes, '0');
}
