/** A bar chart as SVG: bars on a logarithmic axis, in colours that suit a light page and a dark one. */

/** A group of bars. */
export interface Bars {
  readonly label: string;
  /** One for each series, above 0; null leaves a gap. */
  readonly values: readonly (number | null)[];
}

/** What a chart shows. */
export interface Chart {
  readonly title: string;
  /** What the axis measures, with its unit. */
  readonly axis: string;
  readonly series: readonly string[];
  readonly bars: readonly Bars[];
}

const WIDTH = 820;
const [LEFT, RIGHT, TOP, BOTTOM] = [250, 70, 76, 56];
const [BAR, GAP] = [11, 12];

const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #24292f; }
  .title { font-size: 16px; font-weight: 600; }
  .value, .tick { font-size: 11px; fill: #57606a; }
  .grid { stroke: #d0d7de; }
  .s0 { fill: #0969da; } .s1 { fill: #bf8700; } .s2 { fill: #1a7f37; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .value, .tick { fill: #9198a1; }
    .grid { stroke: #3d444d; }
    .s0 { fill: #58a6ff; } .s1 { fill: #e3b341; } .s2 { fill: #56d364; }
  }`;

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/** Two digits that matter: 0.57, 4.1, 151. */
function short(value: number): string {
  if (value >= 9.95) return String(Math.round(value));
  return value.toFixed(value < 1 ? 2 : 1);
}

/** The powers of ten that hold all values between them. */
function decades(values: readonly number[]): readonly [number, number] {
  const low = Math.floor(Math.log10(Math.min(...values)));
  return [low, Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))))];
}

/** @throws RangeError when there is nothing to show, or a value that a logarithmic axis has no place for */
export function barChart({ title, axis, series, bars }: Chart): string {
  const values = bars.flatMap((group) => group.values.filter((value) => value !== null));
  if (values.length === 0 || values.some((value) => !(value > 0 && value < Infinity))) {
    throw new RangeError('a chart shows values above 0');
  }
  const [low, high] = decades(values);
  const right = WIDTH - RIGHT;
  const x = (value: number) => Math.round(LEFT + ((Math.log10(value) - low) / (high - low)) * (right - LEFT));
  const groupHeight = series.length * BAR + GAP;
  const bottom = TOP + bars.length * groupHeight;
  const parts: string[] = [`<text class="title" x="12" y="26">${escaped(title)}</text>`];
  for (const [i, name] of series.entries()) {
    const at = LEFT + i * 105;
    parts.push(`<rect class="s${i}" x="${at}" y="44" width="12" height="12"/>`);
    parts.push(`<text x="${at + 18}" y="55">${escaped(name)}</text>`);
  }
  for (let power = low; power <= high; power++) {
    const at = x(10 ** power);
    parts.push(`<line class="grid" x1="${at}" x2="${at}" y1="${TOP - 6}" y2="${bottom}"/>`);
    parts.push(`<text class="tick" x="${at}" y="${bottom + 18}" text-anchor="middle">${Number(`1e${power}`)}</text>`);
  }
  parts.push(
    `<text x="${(LEFT + right) / 2}" y="${bottom + 42}" text-anchor="middle">${escaped(axis)}, logarithmic</text>`,
  );
  for (const [row, group] of bars.entries()) {
    const top = TOP + row * groupHeight;
    const middle = top + (series.length * BAR) / 2 + 4;
    parts.push(`<text x="${LEFT - 10}" y="${middle}" text-anchor="end">${escaped(group.label)}</text>`);
    for (const [i, value] of group.values.entries()) {
      if (value === null) continue;
      const y = top + i * BAR;
      parts.push(
        `<rect class="s${i}" x="${LEFT}" y="${y}" width="${Math.max(1, x(value) - LEFT)}" height="${BAR - 1}"/>`,
      );
      parts.push(`<text class="value" x="${x(value) + 5}" y="${y + BAR - 2}">${short(value)}</text>`);
    }
  }
  const height = bottom + BOTTOM;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escaped(title)}">`,
    `<style>${STYLE}\n</style>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}
