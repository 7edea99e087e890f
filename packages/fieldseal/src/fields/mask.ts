/** Masks: how a decrypted value is shown to somebody who need not see all of it. */
import { FieldsealError } from '../errors.js';

/**
 * Shows a text in part. A mask is for display and protects nothing: the whole value was decrypted, and what is left
 * visible, together with what else is known of a person, often names the value.
 */
export type Mask = (value: string) => string;

/** The masks that have names. */
export type MaskKind = keyof typeof MASKS;

/** Of a fixed length: it does not tell how long the value is. */
const HIDDEN = '****';
const DIGIT = /^\p{Nd}$/u;
const DIGITS = /\p{Nd}/gu;
/** What people write between digits and groups: dashes, spaces, brackets, dots, slashes. */
const SEPARATOR = /^[\p{Pd}\p{Zs}()./]$/u;
const DOMAIN = /^[\p{L}\p{M}\p{N}-]+(?:\.[\p{L}\p{M}\p{N}-]+)+$/u;

/** The end of a text that is cut into characters: of a whole long one that takes time with the square of its length. */
const SEGMENTED = 128;
const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' });

/** Stars for everything but separators and the last four characters that `isShown`. */
function hideButLastFour(text: string, isShown: (char: string) => boolean): string {
  let shown = 0;
  const masked = Array.from(text)
    .reverse()
    .map((char) => {
      if (SEPARATOR.test(char)) return char;
      return isShown(char) && shown++ < 4 ? char : '*';
    });
  return masked.reverse().join('');
}

const isDigit = (char: string) => DIGIT.test(char);
const countDigits = (text: string) => text.match(DIGITS)?.length ?? 0;

/** A country code has at most three digits (ITU-T E.164); without a separator behind it, nobody knows where it ends. */
function maskPhone(text: string): string {
  const country = /^\+\d{1,3}(?=[^\p{Nd}])/u.exec(text)?.[0] ?? (text.startsWith('+') ? '+' : '');
  const national = text.slice(country.length);
  return countDigits(national) < 8 ? HIDDEN : country + hideButLastFour(national, isDigit);
}

function maskEmail(text: string): string {
  const at = text.lastIndexOf('@');
  const [local, domain] = [text.slice(0, Math.max(0, at)), text.slice(at + 1)];
  if (local === '' || !DOMAIN.test(domain)) return HIDDEN;
  return `${firstLetterOf(local)}@${domain}`;
}

/** The first letter and three stars, however long the word; only stars for a word of one letter. */
function firstLetterOf(word: string): string {
  const [first, second] = graphemes.segment(word);
  return first === undefined || second === undefined ? '***' : `${first.segment}***`;
}

function maskIban(text: string): string {
  const compact = text.replaceAll(' ', '');
  if (!/^[A-Z]{2}\d{2}[A-Z\d]{11,30}$/i.test(compact)) return HIDDEN;
  const country = text.slice(0, 2);
  return country + hideButLastFour(text.slice(2), () => true);
}

const MASKS = {
  /** `+82-10-1234-5678` → `+82-**-****-5678`. Hidden whole with fewer than eight digits behind the country code. */
  phone: maskPhone,
  /** `jane.doe@example.com` → `j***@example.com`. Hidden whole when it is not an address. */
  email: maskEmail,
  /** `4111 1111 1111 1234` → `**** **** **** 1234`. Hidden whole with fewer than twelve digits. */
  card: (text: string) => (countDigits(text) < 12 ? HIDDEN : hideButLastFour(text, isDigit)),
  /** `123-45-6789` → `***-**-6789`. Hidden whole when it has not nine digits. */
  ssn: (text: string) => (countDigits(text) === 9 ? hideButLastFour(text, isDigit) : HIDDEN),
  /** `DE89 3704 0044 0532 0130 00` → `DE** **** **** **** **30 00`. Hidden whole when it is not an IBAN. */
  iban: maskIban,
  /** `Jane Doe` → `J*** D***`. */
  name: (text: string) => text.trim().split(/\s+/).map(firstLetterOf).join(' '),
  /** `A-2024-998877` → `****8877`. Hidden whole with fewer than eight characters. */
  'last-four': (text: string) => {
    const chars = Array.from(graphemes.segment(text.slice(-SEGMENTED)), ({ segment }) => segment);
    return chars.length < 8 ? HIDDEN : HIDDEN + chars.slice(-4).join('');
  },
  /** Anything → `****`. */
  all: () => HIDDEN,
} satisfies Record<string, Mask>;

/** The names that a mask may have. */
export const MASK_KINDS = Object.freeze(Object.keys(MASKS) as MaskKind[]);

function maskOf(kind: MaskKind | Mask): Mask {
  if (typeof kind === 'function') return (value) => applyOwn(kind, value);
  // The message does not repeat what was given: with its arguments exchanged, that is the value.
  if (!Object.hasOwn(MASKS, kind)) throw new TypeError(`a mask is ${MASK_KINDS.join(', ')} or a function`);
  return MASKS[kind];
}

/** Runs a function of the application. Its error is dropped, message and all, because it may quote the value. */
function applyOwn(own: Mask, value: string): string {
  let masked: unknown;
  try {
    masked = own(value);
  } catch {
    masked = null;
  }
  if (typeof masked === 'string') return masked;
  throw new FieldsealError('ERR_CODEC_FAILED', 'A mask of the application’s own could not mask the value.');
}

/** Null stays null: it is NULL, and tells nothing. What is not text is hidden whole. */
function apply(own: Mask, value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return typeof value === 'string' ? own(value) : HIDDEN;
}

/**
 * A mask by its name, or by a function of one's own from text to text. With a value, the masked value at once.
 *
 * It is for display and protects nothing: see {@link Mask}. A text that is too short to hide a part of is hidden whole,
 * and so is a value that is not text (a number, a date). Null stays null.
 * @throws TypeError for an unknown name; FieldsealError `ERR_CODEC_FAILED`, without a cause, when one's own function throws or
 * returns no text
 *
 * @example
 * mask('phone', '+82-10-1234-5678'); // '+82-**-****-5678'
 * mask('email')('jane.doe@example.com'); // 'j***@example.com'
 */
export function mask(kind: MaskKind | Mask): Mask;
export function mask(kind: MaskKind | Mask, value: null | undefined): null;
export function mask(kind: MaskKind | Mask, value: string | number | bigint | boolean | object): string;
export function mask(kind: MaskKind | Mask, value: unknown): string | null;
export function mask(kind: MaskKind | Mask, ...values: readonly unknown[]): Mask | string | null {
  const own = maskOf(kind);
  return values.length > 0 ? apply(own, values[0]) : (value) => apply(own, value) as string;
}
