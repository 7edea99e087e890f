import { describeFields } from './fields-contract.js';
import { FIELDS_ON_SQLITE } from './with-fields.js';

describeFields('SQLite', FIELDS_ON_SQLITE);
