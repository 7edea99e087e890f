/** What the text of a query must be before it is made numbers. */
import type { FastifyRequest } from 'fastify';
import { FieldsealError } from 'fieldseal';

const WHOLE = ['limit', 'before'] as const;

/**
 * Refuses a parameter that is given twice, and `4.7`, `0x1` and `true` for a whole number: the schemas would make one of them.
 * For `preValidation`.
 * @throws FieldsealError `ERR_INPUT_INVALID`
 */
export async function strictQuery({ query }: FastifyRequest): Promise<void> {
  const given = query as Readonly<Record<string, unknown>>;
  // The names are the caller's own words, and not repeated.
  if (Object.values(given).some((value) => typeof value !== 'string'))
    throw new FieldsealError('ERR_INPUT_INVALID', 'A parameter in the address is given more than once.');
  for (const name of WHOLE) {
    const text = given[name];
    if (text !== undefined && !/^[1-9]\d*$/.test(String(text)))
      throw new FieldsealError('ERR_INPUT_INVALID', `${name} in the address is not a whole number from 1 on.`);
  }
}
