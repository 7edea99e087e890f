/** A process that writes lines and ends in the same turn: `exit`, or `throw`. */
import { gatherLines } from '../../src/telemetry/log.js';

const write = gatherLines((lines) => void process.stdout.write(lines));
write('first\n');
write('last\n');
if (process.argv[2] === 'throw') throw new Error('unforeseen');
process.exit();
