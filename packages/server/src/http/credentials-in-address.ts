/** Tokens and keys in a query string: it stands in histories, in `Referer` and in the logs of every proxy on the way. */
import type { FastifyRequest } from 'fastify';
import { API_KEY_ANYWHERE } from '../usecases/principals.js';
import { misplacedCredentials } from './challenge.js';

const NAMES =
  /^(access_?token|id_?token|refresh_?token|token|jwt|bearer|auth|authorization|(x_?)?api_?key|key|secret|password)$/;
/** Three parts in base64url of which the first begins as a JSON object does. */
const JWT_ANYWHERE = /(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/;

function isCredential(text: string): boolean {
  return API_KEY_ANYWHERE.test(text) || JWT_ANYWHERE.test(text);
}

/** @throws FieldsealError `ERR_INPUT_INVALID`, which repeats nothing of the address */
export function assertNoCredentials({ query }: Pick<FastifyRequest, 'query'>): void {
  for (const [name, value] of Object.entries(query as Record<string, string | string[]>)) {
    const isNamed = NAMES.test(name.toLowerCase().replaceAll('-', '_'));
    if (isNamed || [name, value].flat().some(isCredential)) {
      throw misplacedCredentials(
        'The address holds a token or a key; send it as Authorization: Bearer, and replace it, for addresses are logged on the way.',
      );
    }
  }
}
