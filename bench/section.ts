/** The parts of docs/benchmarks.md that a benchmark of its own renews: `npm run bench:sweep -- --write`, `bench:http`. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The folder of the benchmark, which keeps its part as `section.md`. */
export type Section = 'sweep' | 'http';

const PAGE = fileURLToPath(new URL('../docs/benchmarks.md', import.meta.url));
const fileOf = (name: Section) => fileURLToPath(new URL(`${name}/section.md`, import.meta.url));

/** As it was last written, with an empty line behind it; empty before that. */
export function sectionOf(name: Section): string {
  return existsSync(fileOf(name)) ? `${readFileSync(fileOf(name), 'utf8')}\n` : '';
}

/** Keeps the section, and puts it into the page. */
export function writeSection(name: Section, text: string): void {
  const [before, page] = [sectionOf(name), readFileSync(PAGE, 'utf8')];
  writeFileSync(fileOf(name), text);
  const place = '## What is measured, and what is not\n';
  const rest = before === '' ? page : page.replace(before, '');
  writeFileSync(
    PAGE,
    rest.replace(place, () => `${sectionOf(name)}${place}`),
  );
}
