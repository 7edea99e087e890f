/** A table of customers for the tests of whole sweeps. */
import { configText } from '../with-project.ts';

export const CUSTOMERS_CONFIG = configText(`customers: {
  primaryKey: 'id',
  columns: {
    phone: encryptedString({ length: 30, alsoReads: ['plaintext'] }),
    email: encryptedString({ alsoReads: ['plaintext'] }),
  },
}`);

/** `count` customers, numbered from 1; every tenth has no e-mail address. */
export function customersSql(count: number): string {
  return `
    CREATE TABLE customers (id INTEGER PRIMARY KEY, phone TEXT NOT NULL, email TEXT);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
    INSERT INTO customers SELECT i, '+82-10-' || i, CASE WHEN i % 10 = 0 THEN NULL ELSE 'user' || i || '@example.com' END FROM n;`;
}
