import { faker } from '@faker-js/faker';
import { describe, expect, it } from 'vitest';
import { looksLike, type PersonalDataKind } from '../../src/sweep/personal-data.js';

const RECOGNISED: readonly [PersonalDataKind, string, readonly string[]][] = [
  ['email', 'contact', ['ada@example.com', ' brook+tag@mail.example.co.uk ', 'ünal@exämple.de']],
  ['ssn', 'number', ['123-45-6789', '001-01-0001']],
  ['card', 'paid_with', ['4111 1111 1111 1111', '5500-0000-0000-0004', '378282246310005']],
  ['iban', 'account', ['DE89 3704 0044 0532 0130 00', 'gb82west12345698765432', 'NO9386011117947']],
  ['ip', 'seen_from', ['192.0.2.1', '255.255.255.255', '2001:db8::1', '::1']],
  ['birth_date', 'DateOfBirth', ['1999-12-31', '2001-02-03T00:00:00Z']],
  ['birth_date', 'dob', ['1950-01-01']],
  ['phone', 'Phone', ['(555) 123-4567', '555.123.4567', '0171/2345678', '555-123-4567 x12']],
  ['phone', 'number', ['+1 555 123 4567', '+491712345678']],
  ['phone', 'Fax', ['+55 (12) 3923-5566']],
];

const NOT_RECOGNISED: readonly [string, string, readonly string[]][] = [
  ['dates', 'phone', ['2024-01-31', '1999-12-31 10:00']],
  ['dates that are no birth dates', 'created_at', ['2024-01-31', '1999-12-31']],
  ['order numbers, which fail a card’s check digit', 'order_no', ['4111111111111112', '1234567890123456']],
  ['digits without a telephone’s sign or name', 'order_no', ['5551234567', '555 123 4567']],
  ['numbers that no social security number has', 'code', ['000-12-3456', '666-12-3456', '912-12-3456', '123-00-4567']],
  ['versions', 'version', ['1.2.3', '10.20.30', '256.1.1.1', '1.2.3.4.5']],
  ['times', 'at', ['10:30', '23:59']],
  ['text in the shape of an IBAN', 'code', ['AB12CDEFGHIJKLMNOP', 'DE00370400440532013000']],
  ['names and sentences', 'notes', ['Ada Lovelace', 'call me', 'a @ b', '']],
  ['UUIDs', 'id', ['4f8b1a0e-6a5e-4c3b-9f63-0a1b2c3d4e5f']],
];

describe('a column', () => {
  it.each(RECOGNISED)('looks like %s (%s)', (kind, column, samples) => {
    expect(samples.map((sample) => looksLike(column, [sample]))).toEqual(samples.map(() => kind));
  });

  it.each(NOT_RECOGNISED)('of %s looks like nothing', (_name, column, samples) => {
    expect(samples.map((sample) => looksLike(column, [sample]))).toEqual(samples.map(() => null));
  });

  it('looks like what most of its samples are', () => {
    const emails = (count: number) => Array.from({ length: count }, () => 'ada@example.com');
    expect(looksLike('contact', [...emails(6), 'a', 'b', 'c', 'd'])).toBe('email');
    expect(looksLike('contact', [...emails(5), 'a', 'b', 'c', 'd', 'e'])).toBeNull();
    expect(looksLike('contact', [])).toBeNull();
  });

  it.each([
    ['email', 'a', () => faker.internet.email()],
    ['card', 'a', () => faker.finance.creditCardNumber()],
    ['iban', 'a', () => faker.finance.iban()],
    ['ip', 'a', () => faker.internet.ip()],
    ['phone', 'phone', () => faker.phone.number()],
  ] as const)('of made-up data looks like %s', (kind, column, make) => {
    faker.seed(42);
    expect(looksLike(column, Array.from({ length: 100 }, make))).toBe(kind);
  });
});
