/** Guessing from samples whether a column holds personal data. A guess is shown to a person, never acted on. */

/** What a column may look like. */
export const PERSONAL_DATA_KINDS = ['email', 'ssn', 'card', 'iban', 'ip', 'birth_date', 'phone'] as const;
export type PersonalDataKind = (typeof PERSONAL_DATA_KINDS)[number];

/** That many of the samples have to fit. */
const SHARE = 0.6;

function digitsOf(text: string): string {
  return text.replace(/\D/g, '');
}

/** The check digit of card numbers (ISO/IEC 7812-1). */
function passesLuhn(digits: string): boolean {
  const sum = [...digits].reverse().reduce((total, digit, i) => {
    const value = Number(digit) * (i % 2 === 1 ? 2 : 1);
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return sum % 10 === 0;
}

/** The check digits of IBANs (ISO 7064 MOD 97-10). */
function passesMod97(iban: string): boolean {
  const digits = [...(iban.slice(4) + iban.slice(0, 4))].map((char) => Number.parseInt(char, 36)).join('');
  return [...digits].reduce((remainder, digit) => (remainder * 10 + Number(digit)) % 97, 0) === 1;
}

const FITS: Readonly<Record<PersonalDataKind, (value: string, column: string) => boolean>> = {
  email: (value) => /^[^\s@]{1,64}@[^\s@]+\.[^\s@]{2,}$/.test(value),
  ssn: (value) => /^(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}$/.test(value),
  card: (value) => /^[\d -]{13,23}$/.test(value) && /^\d{13,19}$/.test(digitsOf(value)) && passesLuhn(digitsOf(value)),
  iban: (value) => {
    const compact = value.replaceAll(' ', '').toUpperCase();
    return /^[A-Z]{2}\d{2}[A-Z\d]{11,30}$/.test(compact) && passesMod97(compact);
  },
  ip: (value) =>
    /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/.test(value) || /^(?=.*:.*:)[\da-f:]{3,39}$/i.test(value),
  birth_date: (value, column) => /birth|dob/i.test(column) && /^(?:19|20)\d{2}-\d{2}-\d{2}/.test(value),
  // Many numbers have a telephone number's shape, so that the column's name or a sign of its own has to say so as well.
  phone: (value, column) =>
    /^\+?[\d\s().x/-]{7,24}$/.test(value) &&
    digitsOf(value).length >= 7 &&
    digitsOf(value).length <= 17 &&
    !/^\d{4}-\d{2}-\d{2}/.test(value) &&
    (/phone|fax|mobile|tel|cell/i.test(column) || value.startsWith('+')),
};

/** The kind that most of the samples fit, or null. */
export function looksLike(column: string, samples: readonly string[]): PersonalDataKind | null {
  if (samples.length === 0) return null;
  const share = (kind: PersonalDataKind) =>
    samples.filter((value) => FITS[kind](value.trim(), column)).length / samples.length;
  return PERSONAL_DATA_KINDS.find((kind) => share(kind) >= SHARE) ?? null;
}
