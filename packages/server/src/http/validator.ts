/** Checks requests against their schemas. Nothing is coerced: a body is what it is, and parameters are read strictly. */
import type { FastifySchemaCompiler } from 'fastify';
import { isFieldsealError } from 'fieldseal';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { readParameters } from './whole-numbers.js';

export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const compiled = Compile(schema);
  const isText = httpPart === 'querystring' || httpPart === 'params';
  return (given) => {
    let value = given;
    if (isText) {
      try {
        value = readParameters(schema, given);
      } catch (error) {
        if (isFieldsealError(error)) return { error };
        throw error;
      }
    }
    return compiled.Check(value) ? { value } : { error: compiled.Errors(value) as never };
  };
};
