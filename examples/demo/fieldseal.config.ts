// Which columns are encrypted. Sweeps (`fieldseal encrypt`) and the application's ORM both read this.
import { blindIndex, defineConfig, defineModel, encryptedString } from 'fieldseal';

export const model = defineModel({
  customers: {
    primaryKey: 'id',
    rows: 20_000,
    columns: {
      phone: encryptedString({ length: 30, alsoReads: ['plaintext'] }),
      // Bound to its row: moved to another customer, it does not open. Found by its index.
      email: encryptedString({
        length: 100,
        scheme: 'xaes',
        boundTo: 'row',
        alsoReads: ['plaintext'],
        distinct: 18_000,
        commonest: 0.0005,
      }),
      ssn: encryptedString({ length: 11, alsoReads: ['plaintext'] }),
    },
    indexes: { email_index: blindIndex('email', { normalise: ['trim', 'lower-case'], bits: 9 }) },
  },
});

export default defineConfig({ keys: 'stored', model });
