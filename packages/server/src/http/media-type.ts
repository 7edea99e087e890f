/** Which bodies are read: JSON in UTF-8, as it is. */
import type { FastifyRequest } from 'fastify';
import { FieldsealError } from 'fieldseal';

/** @throws FieldsealError `ERR_MEDIA_TYPE` for another charset, or a compressed body */
export function assertReadable({ headers }: Pick<FastifyRequest, 'headers'>): void {
  const encoding = headers['content-encoding']?.trim().toLowerCase();
  if (encoding && encoding !== 'identity') {
    throw new FieldsealError('ERR_MEDIA_TYPE', 'The body must not be compressed: leave Content-Encoding out.');
  }
  const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(headers['content-type'] ?? '')?.[1]?.toLowerCase();
  if (charset !== undefined && charset !== 'utf-8' && charset !== 'utf8') {
    throw new FieldsealError('ERR_MEDIA_TYPE', 'The body must be JSON in UTF-8.');
  }
}
