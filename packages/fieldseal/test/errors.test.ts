/** The one error class. */
import { expect, it } from 'vitest';
import { ERROR_CODES, FieldsealError, isFieldsealError } from '../src/errors.js';

it('an error carries its code, its message, and no more than it was given', () => {
  const error = new FieldsealError('ERR_USAGE', 'Say which run.');
  expect([error.name, error.code, error.message]).toEqual(['FieldsealError', 'ERR_USAGE', 'Say which run.']);
  expect(error).toBeInstanceOf(Error);
  expect(Object.hasOwn(error, 'cause')).toBe(false);
  expect(error.indexes).toBeUndefined();
  const cause = new Error('the database');
  expect(new FieldsealError('ERR_DATABASE_FAILED', 'It failed.', { cause }).cause).toBe(cause);
});

it('an error of another copy of the package is known by its name and code', () => {
  const foreign = Object.assign(new Error('x'), { name: 'FieldsealError', code: 'ERR_USAGE' });
  expect(isFieldsealError(foreign)).toBe(true);
  expect(isFieldsealError(new FieldsealError('ERR_USAGE', 'x'))).toBe(true);
  for (const other of [
    Object.assign(new Error('x'), { name: 'FieldsealError', code: 'toString' }),
    Object.assign(new Error('x'), { code: 'ERR_USAGE' }),
    { name: 'FieldsealError', code: 'ERR_USAGE' },
    new Error('x'),
    null,
    undefined,
  ]) {
    expect(isFieldsealError(other)).toBe(false);
  }
});

it('every code says in a sentence what it means', () => {
  for (const [code, meaning] of Object.entries(ERROR_CODES)) {
    expect(code).toMatch(/^ERR_[A-Z_]+$/);
    expect(meaning).toMatch(/^[A-Z].*\.$/);
  }
});
