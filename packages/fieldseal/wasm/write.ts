/** Writes src/core/sha256-lanes-bytes.ts: `npx tsx packages/fieldseal/wasm/write.ts`. */
import { writeFileSync } from 'node:fs';
import { sha256LanesModule } from './sha256-lanes.js';

/** The source file that holds the module's bytes. */
export function sha256LanesSource(): string {
  const lines =
    sha256LanesModule()
      .toString('base64')
      .match(/.{1,112}/g) ?? [];
  return [
    '/** The WebAssembly module that `wasm/sha256-lanes.ts` makes, in base64. Made by `wasm/write.ts`: do not edit. */',
    'export const SHA256_LANES_BASE64 = [',
    ...lines.map((line) => `  '${line}',`),
    "].join('');",
    '',
  ].join('\n');
}

if (process.argv[1] === import.meta.filename) {
  writeFileSync(new URL('../src/core/sha256-lanes-bytes.ts', import.meta.url), sha256LanesSource());
}
