/** The contract of the library's `databaseProvider` on PostgreSQL, over the tables that the store makes. */
import { databaseProviderContract } from '../../../fieldseal/test/providers/database-contract.ts';
import { withPostgresProvider } from '../postgres.ts';

databaseProviderContract('PostgreSQL', withPostgresProvider);
