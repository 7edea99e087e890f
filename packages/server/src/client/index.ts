/** The typed client of the REST API: `@fieldseal/server/client`. */
export { FieldsealApiError } from './api-error.js';
export { type ClientOptions, FieldsealClient, type OperationMethods, type RequestOptions } from './client.js';
export {
  type InputOf,
  type ItemOf,
  type Operation,
  type OperationName,
  type OutputOf,
  operations,
  type PagedName,
} from './operations.js';
