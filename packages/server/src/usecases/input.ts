/** Checking what comes from outside against its schema, the same for HTTP and for code. */
import { FieldsealError } from 'fieldseal';
import type { Static, TSchema } from 'typebox';
import { Check, Errors } from 'typebox/value';

/** What a schema's message is to people: of a pattern, they learn nothing from its text. */
export function ruleText(message: string | undefined): string {
  if (message?.startsWith('must match pattern')) return 'has a form or characters that are not allowed';
  return message ?? 'is not valid';
}

/** @throws FieldsealError `ERR_INPUT_INVALID`, naming the field and the rule, never the value */
export function assertInput<Schema extends TSchema>(schema: Schema, input: unknown): asserts input is Static<Schema> {
  if (Check(schema, input)) return;
  const [first] = Errors(schema, input);
  const field = first?.instancePath.slice(1).replaceAll('/', '.') || 'the input';
  throw new FieldsealError('ERR_INPUT_INVALID', `${field} ${ruleText(first?.message)}.`);
}
