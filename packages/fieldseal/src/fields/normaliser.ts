/** Normalisers: what makes two texts count as equal in a blind index. */
import { FieldsealError } from '../errors.js';

/** The normalisers that have names. */
export type NormaliserName = keyof typeof NAMED;

/**
 * One step of normalising: a name, or a function of one's own, which must always give the same text for the same text,
 * now and in years: the index finds only what was normalised alike.
 *
 * The coarser the steps, the more an index tells of a value before a bit of it is cut off, and the fewer values there
 * are to hide among: `distinct` and `commonest` are to be counted after normalising.
 */
export type Normaliser = NormaliserName | ((text: string) => string);

/** Decimal digits of any script to 0–9. Unicode keeps each script's ten in a row, from zero up, some rows side by side. */
function asciiDigit(digit: string): string {
  let before = 0;
  while (/^\p{Nd}$/u.test(String.fromCodePoint((digit.codePointAt(0) as number) - before - 1))) before++;
  return String(before % 10);
}

const NAMED = {
  /**
   * Lower case, by Unicode and in no locale: `I` becomes `i` in Turkey too, `ß` is not `ss`. An index over it tells
   * what one over the text itself does: which rows may hold the same text, here in any case.
   */
  'lower-case': (text: string) => text.toLowerCase(),
  /** Without the white space at both ends (`String.prototype.trim`). An index over it tells what one over the text does. */
  trim: (text: string) => text.trim(),
  /**
   * Unicode's NFKC: composed and decomposed, full-width and narrow letters count as equal. It comes before
   * `lower-case`, since it can make capitals. An index over it tells what one over the text does.
   */
  nfkc: (text: string) => text.normalize('NFKC'),
  /**
   * Only the digits, after NFKC, those of other scripts as 0–9. An index over it tells which rows may hold the same
   * number, however it is written; all texts without digits share one index value, which may stand out.
   */
  digits: (text: string) => (text.normalize('NFKC').match(/\p{Nd}/gu) ?? []).map(asciiDigit).join(''),
  /**
   * The last four code points. There are at most 10,000 of four digits: an index over it must be short, takes its bits
   * from the column's budget, and tells which rows may end alike.
   */
  'last-four': (text: string) => Array.from(text.slice(-8)).slice(-4).join(''),
  /**
   * What follows the last `@`, in lower case; nothing where there is none. Domains are few and very unevenly frequent:
   * an index over it tells which rows may be of one provider or one company, and the largest ones stand out by their
   * number, unless `commonest` is honest, which then leaves few bits or none.
   */
  'email-domain': (text: string) => (text.includes('@') ? text.slice(text.lastIndexOf('@') + 1).toLowerCase() : ''),
} satisfies Record<string, (text: string) => string>;

/** The names that a normaliser may have. */
export const NORMALISER_NAMES = Object.freeze(Object.keys(NAMED) as NormaliserName[]);

function isName(step: unknown): step is NormaliserName {
  return typeof step === 'string' && Object.hasOwn(NAMED, step);
}

/** Checks declared normalisers. @throws TypeError for anything but a list of known names and functions */
export function assertNormalisers(steps: unknown): asserts steps is readonly Normaliser[] {
  if (Array.isArray(steps) && steps.every((step) => typeof step === 'function' || isName(step))) return;
  throw new TypeError(`normalise is a list of ${NORMALISER_NAMES.join(', ')} or functions`);
}

/** Runs a function of the application. Its error is dropped, message and all, because it may quote the value. */
function applyOwn(step: (text: string) => string, text: string): string {
  let result: unknown;
  try {
    result = step(text);
  } catch {
    throw new FieldsealError('ERR_CODEC_FAILED', 'A normaliser could not normalise the value.');
  }
  if (typeof result !== 'string' || !result.isWellFormed()) {
    throw new FieldsealError('ERR_CODEC_FAILED', 'A normaliser made something that is not well-formed text.');
  }
  return result;
}

/**
 * Applies normalisers in their order.
 * @throws FieldsealError `ERR_CODEC_FAILED`, without a cause, when a function throws or returns no well-formed text;
 * TypeError for an unknown name
 *
 * @example
 * normalise(['trim', 'lower-case'], ' Jane@Example.com '); // 'jane@example.com'
 */
export function normalise(steps: readonly Normaliser[], text: string): string {
  assertNormalisers(steps);
  return steps.reduce<string>(
    (current, step) => (typeof step === 'function' ? applyOwn(step, current) : NAMED[step](current)),
    text,
  );
}
