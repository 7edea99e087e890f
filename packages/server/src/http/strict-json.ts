/** JSON whose meaning does not depend on who reads it: UTF-8, no name twice, and not nested without end (RFC 8259 §4, I-JSON). */
import { FieldsealError } from 'fieldseal';

const MAX_DEPTH = 32;
/** It keeps nothing from one text to the next. */
const UTF8 = new TextDecoder('utf-8', { fatal: true });
/** Strings and what structures a text that is known to be JSON. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]/g;

function refused(sentence: string): FieldsealError {
  return new FieldsealError('ERR_INPUT_INVALID', sentence);
}

/** @throws FieldsealError `ERR_INPUT_INVALID` for bytes that are not UTF-8 */
export function utf8Text(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw refused('The body is not UTF-8.');
  }
}

/**
 * Looks at a text that a parser took for JSON: parsers keep the last of two values of one name, others the first.
 * The error `ERR_INPUT_INVALID`, which never repeats the text; null when there is none.
 */
export function strictJsonError(text: string): FieldsealError | null {
  /** The names of each object that is open; null for an array. */
  const open: (Set<string> | null)[] = [];
  let before = '';
  for (const [token] of text.matchAll(TOKENS)) {
    if (token === '{' || token === '[') {
      open.push(token === '{' ? new Set() : null);
      if (open.length > MAX_DEPTH) return refused(`The body is nested more than ${MAX_DEPTH} deep.`);
    } else if (token === '}' || token === ']') open.pop();
    else if (token.startsWith('"') && (before === '{' || before === ',')) {
      const names = open.at(-1);
      const name = JSON.parse(token) as string;
      if (names?.has(name)) return refused('The body has a field twice.');
      names?.add(name);
    }
    before = token;
  }
  return null;
}
