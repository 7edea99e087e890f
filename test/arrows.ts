/** The checker behind `arrows.test.ts`: reads the arrow table of ARCHITECTURE.md and finds what in `src` breaks it. */
import { basename, dirname, posix } from 'node:path';
import ts from 'typescript';

/** One row of the table, for one folder. */
export interface Arrow {
  /** Such as `fieldseal/core`; a file directly in `src` is named without its extension: `server/main`. */
  readonly folder: string;
  /** Folders such as `fieldseal/errors`, and `fieldseal` for the library's public names. */
  readonly mayImport: ReadonlySet<string>;
  /** Packages, Node's modules and guarded globals. */
  readonly mayUse: ReadonlySet<string>;
}

/** One import of a file, however it is written. */
export interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
}

/** Path from the root of the repository → source text. */
export type Sources = ReadonlyMap<string, string>;

const MAX_LINES = 400;
const VAGUE_NAMES = /^(util|helper|common|misc|manager)s?$/;
const TIMERS = ['setTimeout', 'setInterval', 'setImmediate'];
const TIMER_MODULES = ['node:timers', 'node:timers/promises'];
const CRYPTO_FOLDER = 'fieldseal/core';
const ENVIRONMENT_READERS = [
  'packages/server/src/main.ts',
  'packages/fieldseal/src/encryption-service.ts',
  'packages/fieldseal/src/core/batch.ts',
];

function foldersOf(names: string, known: readonly string[], ownPackage: string): string[] {
  return names.split(',').flatMap((part) => {
    const name = part.trim();
    if (name === '–') return [];
    if (name === 'fieldseal') return [name];
    const all = /^all of (?:the )?(\w+)(?: but (\w+))?$/.exec(name);
    if (!all) return [`${ownPackage}/${name}`];
    const scope = all[1] === 'library' ? 'fieldseal' : all[1];
    return known.filter((folder) => folder.startsWith(`${scope}/`) && folder !== `${scope}/${all[2]}`);
  });
}

/** The arrows of a Markdown document. @throws Error when it has no table, or when a row names a folder without one */
export function parseArrows(markdown: string): Arrow[] {
  const lines = markdown.split('\n');
  const start = lines.findIndex((line) => /^\| folder \| may import \| may use \|$/.test(line));
  if (start < 0) throw new Error('the document has no table `folder | may import | may use`');
  const rows: { folder: string; names: string; uses: string }[] = [];
  for (const line of lines.slice(start + 2)) {
    const cells = line.split('|').map((cell) => cell.trim());
    if (cells.length !== 5) break;
    const [, folders, names, uses] = cells as [string, string, string, string, string];
    for (const folder of folders.split(',')) rows.push({ folder: folder.trim(), names, uses });
  }
  const known = rows.map(({ folder }) => folder);
  return rows.map(({ folder, names, uses }) => {
    const mayImport = new Set(foldersOf(names, known, dirname(folder)));
    for (const name of mayImport) {
      if (name !== 'fieldseal' && !known.includes(name)) throw new Error(`${folder}: the table has no row ${name}`);
    }
    return {
      folder,
      mayImport,
      mayUse: new Set(Array.from(uses.matchAll(/`([^`]+)`/g), ([, name]) => name as string)),
    };
  });
}

/** The folder of a file as the table names it; null outside a package's `src`. */
export function folderOf(path: string): string | null {
  const match = /^packages\/([^/]+)\/src\/([^/]+?)(?:\.ts)?(?:\/.*)?$/.exec(path);
  return match ? `${match[1]}/${match[2]}` : null;
}

function parse(path: string, text: string): ts.SourceFile {
  return ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
}

function* nodesOf(node: ts.Node): Generator<ts.Node> {
  yield node;
  const children: ts.Node[] = [];
  node.forEachChild((child) => void children.push(child));
  for (const child of children) yield* nodesOf(child);
}

function importOf(node: ts.Node): Import | null {
  const made = (name: ts.Node | undefined, typeOnly: boolean) => ({
    specifier: name && ts.isStringLiteralLike(name) ? name.text : '(computed)',
    typeOnly,
  });
  if (ts.isImportDeclaration(node)) {
    return made(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword);
  }
  if (ts.isExportDeclaration(node)) return node.moduleSpecifier ? made(node.moduleSpecifier, node.isTypeOnly) : null;
  if (ts.isImportTypeNode(node)) {
    return made(ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined, true);
  }
  if (ts.isExternalModuleReference(node)) return made(node.expression, false);
  if (!ts.isCallExpression(node)) return null;
  const { expression } = node;
  const loads =
    expression.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(expression) && expression.text === 'require');
  return loads ? made(node.arguments[0], false) : null;
}

/** Every import of a file: also re-exports, `import()`, `require()`, types and triple-slash references. */
export function importsOf(path: string, text: string): Import[] {
  const file = parse(path, text);
  const references = [...file.referencedFiles, ...file.typeReferenceDirectives];
  return [
    ...references.map(({ fileName }) => ({ specifier: fileName, typeOnly: true })),
    ...Array.from(nodesOf(file), importOf).filter((found) => found !== null),
  ];
}

function packageOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

function importViolation(path: string, arrow: Arrow, { specifier, typeOnly }: Import): string | null {
  const isAdapter = arrow.folder === 'fieldseal/adapters';
  if (/^(node:)?crypto$/.test(specifier)) {
    return arrow.folder === CRYPTO_FOLDER ? null : `imports node:crypto, which only ${CRYPTO_FOLDER} may`;
  }
  if (!specifier.startsWith('.')) {
    // A package's entry points go with the package; Node's modules (`node:timers/promises`) are named one by one.
    const module = specifier.startsWith('node:') ? specifier : packageOf(specifier);
    const name = TIMER_MODULES.includes(module) ? 'timers' : module;
    return arrow.mayUse.has(name) || arrow.mayImport.has(name) ? null : `${arrow.folder} may not use ${specifier}`;
  }
  const target = posix.join(dirname(path), specifier.replace(/\.js$/, '.ts'));
  const folder = folderOf(target);
  if (folder === null) return `imports ${specifier}, which is outside src`;
  if (folder === arrow.folder) return isAdapter ? `imports its sibling ${specifier}` : null;
  if (arrow.mayImport.has(folder)) return null;
  if (isAdapter && typeOnly && folder.startsWith('fieldseal/')) return null;
  return `${arrow.folder} may not import ${folder}`;
}

function globalViolation(path: string, arrow: Arrow, node: ts.Node): string | null {
  if (!ts.isIdentifier(node)) return null;
  const { parent, text } = node;
  const isMember = ts.isPropertyAccessExpression(parent) && parent.name === node;
  if (text === 'env' || text === 'process') {
    const readsEnvironment =
      (isMember && text === 'env' && /(^|\.)process$/.test(parent.expression.getText())) ||
      (ts.isElementAccessExpression(parent) &&
        parent.expression === node &&
        /^.env.$/.test(parent.argumentExpression.getText())) ||
      (ts.isVariableDeclaration(parent) && parent.initializer === node && ts.isObjectBindingPattern(parent.name));
    if (!readsEnvironment) return null;
    if (!ENVIRONMENT_READERS.includes(path))
      return `reads process.env, which only ${ENVIRONMENT_READERS.join(' and ')} may`;
    const inLibrary = arrow.folder.startsWith('fieldseal/');
    return inLibrary && !ts.isParameter(parent.parent) ? 'reads process.env other than as a default argument' : null;
  }
  if (isMember || !ts.isCallExpression(parent) || parent.expression !== node) return null;
  const guarded = TIMERS.includes(text) ? 'timers' : text === 'fetch' ? 'fetch' : null;
  return guarded && !arrow.mayUse.has(guarded) ? `${arrow.folder} may not use ${text}` : null;
}

function hasDefaultExport(file: ts.SourceFile): boolean {
  return Array.from(nodesOf(file)).some(
    (node) =>
      ts.isExportAssignment(node) ||
      (node.kind === ts.SyntaxKind.DefaultKeyword && ts.canHaveModifiers(node.parent)) ||
      (ts.isExportSpecifier(node) && node.name.text === 'default'),
  );
}

function styleViolations(path: string, text: string): string[] {
  const violations: string[] = [];
  const lines = text.replace(/\n$/, '').split('\n').length;
  if (lines > MAX_LINES) violations.push(`has ${lines} lines; ${MAX_LINES} is the most`);
  for (const part of path.split('/')) {
    const vague = basename(part, '.ts')
      .split(/[-_.]/)
      .find((word) => VAGUE_NAMES.test(word));
    if (vague) violations.push(`the name ${part} says nothing: ${vague}`);
  }
  if (/\b(TODO|FIXME)\b/.test(text)) violations.push('holds a TODO or FIXME');
  return violations;
}

/** Everything in `sources` that breaks the arrows or the rules of `src`, each as `path: what`. */
export function findViolations(sources: Sources, arrows: readonly Arrow[]): string[] {
  const byFolder = new Map(arrows.map((arrow) => [arrow.folder, arrow]));
  return Array.from(sources).flatMap(([path, text]) => {
    const found = styleViolations(path, text);
    const file = parse(path, text);
    if (hasDefaultExport(file)) found.push('has a default export');
    const folder = folderOf(path);
    const arrow = folder === null ? undefined : byFolder.get(folder);
    if (!arrow) found.push(`the table has no row ${folder}`);
    else {
      for (const one of importsOf(path, text)) found.push(importViolation(path, arrow, one) ?? '');
      for (const node of nodesOf(file)) found.push(globalViolation(path, arrow, node) ?? '');
    }
    return found.filter((violation) => violation !== '').map((violation) => `${path}: ${violation}`);
  });
}
