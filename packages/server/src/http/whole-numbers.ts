/** Parameters of addresses: text, of which exactly what a schema calls a number, a flag or a list becomes one. */
import { FieldsealError } from 'fieldseal';

/** What of a parameter's JSON schema decides how its text is read. */
interface ParameterSchema {
  readonly type?: string;
}

/** `12` is 12. `4.7`, `0x1`, `1e2`, `+1`, `01` and ` 1` are none, though JavaScript has a number for each; null. */
export function wholeNumber(text: string): number | null {
  return /^(0|-?[1-9]\d*)$/.test(text) ? Number(text) : null;
}

function refused(name: string, rule: string): FieldsealError {
  return new FieldsealError('ERR_INPUT_INVALID', `${name} ${rule}.`);
}

function read(name: string, text: unknown, { type }: ParameterSchema): unknown {
  if (type === 'array') return [text].flat();
  if (Array.isArray(text)) throw refused(name, 'is given more than once');
  if (typeof text !== 'string') return text;
  if (type === 'integer') {
    const value = wholeNumber(text);
    if (value === null) throw refused(name, 'must be a whole number');
    return value;
  }
  if (type === 'boolean') {
    if (text !== 'true' && text !== 'false') throw refused(name, 'must be true or false');
    return text === 'true';
  }
  return text;
}

/**
 * The parameters of a path or a query with the types of their schema; unknown ones stay as they are, for the validation.
 * @throws FieldsealError `ERR_INPUT_INVALID`, naming the parameter, never the value
 */
export function readParameters(schema: object, texts: object): Record<string, unknown> {
  const { properties = {} } = schema as { properties?: Readonly<Record<string, ParameterSchema>> };
  const entries = Object.entries(texts).map(([name, text]: [string, unknown]) => {
    const known = Object.hasOwn(properties, name) ? properties[name] : undefined;
    return [name, known ? read(name, text, known) : text];
  });
  return Object.fromEntries(entries);
}
