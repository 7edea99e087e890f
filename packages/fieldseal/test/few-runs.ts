/** For mutation runs: a mutant that survives twenty values of a property mostly survives a hundred. */
import fc from 'fast-check';

fc.configureGlobal({ numRuns: 20 });
