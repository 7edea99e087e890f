/** The declaration of a blind index. */
import { describe, expect, it } from 'vitest';
import { blindIndex } from '../../src/fields/index-declaration.js';
import { NORMALISER_NAMES } from '../../src/fields/normaliser.js';

const NO_NORMALISERS = new TypeError(`normalise is a list of ${NORMALISER_NAMES.join(', ')} or functions`);

describe('blindIndex', () => {
  it('declares an index over one column, with nothing normalised unless it says so', () => {
    expect(blindIndex('email', { bits: 12 })).toEqual({ on: ['email'], normalise: { email: [] }, bits: 12 });
  });

  it('normalises each of its columns alike when it is given one list', () => {
    expect(blindIndex(['first', 'last'], { bits: 12, normalise: ['trim', 'lower-case'] })).toEqual({
      on: ['first', 'last'],
      normalise: { first: ['trim', 'lower-case'], last: ['trim', 'lower-case'] },
      bits: 12,
    });
  });

  it('normalises its columns each in their own way when it is given their names', () => {
    const own = (text: string) => text.slice(1);
    const { normalise } = blindIndex(['first', 'born'], { bits: 12, normalise: { first: ['nfkc', own] } });
    expect(normalise).toEqual({ first: ['nfkc', own] });
  });

  it('keeps its contextId and what is known of its values', () => {
    const options = { bits: 12, contextId: 'users.email_index', distinct: 500_000, commonest: 1e-5 };
    expect(blindIndex('email', options)).toEqual({ on: ['email'], normalise: { email: [] }, ...options });
  });

  it.each([[['upper-case']], ['trim'], [[5]], [{ email: ['upper-case'] }], [{ email: 'trim' }]])(
    'has no normalisers such as %j',
    (normalise) => {
      expect(() => blindIndex('email', { bits: 12, normalise: normalise as never })).toThrow(NO_NORMALISERS);
    },
  );
});
