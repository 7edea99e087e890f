#!/usr/bin/env node
// A launcher that is there before anything is built, so that npm links it.
import { existsSync } from 'node:fs';

const main = new URL('../dist/main.js', import.meta.url);
if (!existsSync(main)) {
  console.error('fieldseal: not built yet; run `npm run build` first.');
  process.exit(2);
}
await (await import(main.href)).main();
