/** The part of docs/benchmarks.md that is about sweeps: `npm run bench:sweep -- --write` renews it alone. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const SECTION = fileURLToPath(new URL('section.md', import.meta.url));
const PAGE = fileURLToPath(new URL('../../docs/benchmarks.md', import.meta.url));

/** As it was last written, with an empty line behind it; empty before that. */
export function sweepSection(): string {
  return existsSync(SECTION) ? `${readFileSync(SECTION, 'utf8')}\n` : '';
}

/** Keeps the section, and puts it into the page. */
export function writeSweepSection(section: string): void {
  const [before, page] = [sweepSection(), readFileSync(PAGE, 'utf8')];
  writeFileSync(SECTION, section);
  const place = '## What is measured, and what is not\n';
  const rest = before === '' ? page : page.replace(before, '');
  writeFileSync(
    PAGE,
    rest.replace(place, () => `${sweepSection()}${place}`),
  );
}
