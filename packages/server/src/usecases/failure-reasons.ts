/** What a report says of values that could not be read. */
export { FAILURE_REASONS } from '../sweep/transform.js';
