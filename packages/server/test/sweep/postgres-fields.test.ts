import { describeFields } from './fields-contract.js';
import { FIELDS_ON_POSTGRES } from './with-fields.js';

describeFields('PostgreSQL', FIELDS_ON_POSTGRES);
