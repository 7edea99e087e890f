/** Just enough of SQL's lexis to find which columns a table's constraints mention. */

/** One word, quoted name, string, number or sign. */
export interface SqlToken {
  /** `name`: an identifier or keyword (quotes removed); `other`: everything else. */
  readonly kind: 'name' | 'other';
  readonly text: string;
}

// Comments, strings, names quoted in SQLite's four ways, bare words, and single signs.
const TOKEN =
  /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|'(?:[^']|'')*'|"((?:[^"]|"")*)"|`((?:[^`]|``)*)`|\[([^\]]*)\]|([A-Za-z_\u{80}-\u{10ffff}][\w$\u{80}-\u{10ffff}]*)|[^\s]/gu;

/** The tokens of a statement, without comments. Strings count as `other`, except double-quoted ones, which may be names. */
export function sqlTokens(sql: string): SqlToken[] {
  const tokens: SqlToken[] = [];
  for (const match of sql.matchAll(TOKEN)) {
    const [text, double, back, bracket, word] = match;
    const name = double?.replaceAll('""', '"') ?? back?.replaceAll('``', '`') ?? bracket ?? word;
    if (name !== undefined) tokens.push({ kind: 'name', text: name });
    else if (!text.startsWith('--') && !text.startsWith('/*')) tokens.push({ kind: 'other', text });
  }
  return tokens;
}

/** Whether two identifiers name the same thing to SQLite, which folds ASCII case only. */
export function sameName(a: string, b: string): boolean {
  const fold = (name: string) => name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return fold(a) === fold(b);
}

/**
 * The names inside the parentheses that follow each occurrence of `keyword`: what `CHECK (…)` or `AS (…)` mentions.
 * A column that is itself called like the keyword makes the answer too wide, never too narrow.
 */
export function namesInside(tokens: readonly SqlToken[], keyword: string): string[] {
  const names: string[] = [];
  for (const [i, token] of tokens.entries()) {
    if (token.kind !== 'name' || !sameName(token.text, keyword) || tokens[i + 1]?.text !== '(') continue;
    let depth = 0;
    for (let j = i + 1; j < tokens.length; j++) {
      const inner = tokens[j] as SqlToken;
      if (inner.kind === 'name') names.push(inner.text);
      else if (inner.text === '(') depth++;
      else if (inner.text === ')' && --depth === 0) break;
    }
  }
  return names;
}

/** A name in double quotes, whatever it contains. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
