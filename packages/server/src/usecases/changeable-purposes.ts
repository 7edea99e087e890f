/** Loaded by the command line's options: it imports nothing. */

/** The purposes whose keys have versions that come and go. The others have one key, for good. */
export const CHANGEABLE_PURPOSES = ['field', 'blind-index'] as const;
export type ChangeablePurpose = (typeof CHANGEABLE_PURPOSES)[number];
