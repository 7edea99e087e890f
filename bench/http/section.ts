/** The part of docs/benchmarks.md that is about the service: `npm run bench:http -- --write` renews it alone. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const SECTION = fileURLToPath(new URL('section.md', import.meta.url));
const PAGE = fileURLToPath(new URL('../../docs/benchmarks.md', import.meta.url));

/** As it was last written, with an empty line behind it; empty before that. */
export function httpSection(): string {
  return existsSync(SECTION) ? `${readFileSync(SECTION, 'utf8')}\n` : '';
}

/** Keeps the section, and puts it into the page. */
export function writeHttpSection(section: string): void {
  const [before, page] = [httpSection(), readFileSync(PAGE, 'utf8')];
  writeFileSync(SECTION, section);
  const place = '## What is measured, and what is not\n';
  const rest = before === '' ? page : page.replace(before, '');
  writeFileSync(
    PAGE,
    rest.replace(place, () => `${httpSection()}${place}`),
  );
}
