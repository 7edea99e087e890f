// Which columns are encrypted. Sweeps (`fieldseal encrypt`) and the application's ORM both read this.
import { defineConfig, defineModel, encryptedString } from 'fieldseal';

export const model = defineModel({
  customers: {
    primaryKey: 'id',
    columns: {
      phone: encryptedString({ length: 30, alsoReads: ['plaintext'] }),
      email: encryptedString({ length: 100, alsoReads: ['plaintext'] }),
      ssn: encryptedString({ length: 11, alsoReads: ['plaintext'] }),
    },
  },
});

export default defineConfig({ keys: 'stored', model });
