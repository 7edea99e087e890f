/** Loaded by the command line's options: it imports next to nothing. */
export { SCHEDULED_KINDS, type Schedule } from '../store/schedule.js';
