import ts from 'typescript';
import { globalNames } from './global-names.js';
import { parseCell, scriptKindOf } from './parse.js';

/**
 * The cells so far as modules that TypeScript understands. A cell is its code, then what makes it a link of the
 * chain: an `export` of every name that it declares and an `import` of the names that it takes from earlier cells.
 * The suffix comes last, so that every position in the code is a position in the cell. A name that is declared
 * again is taken from the newest cell, as the REPL does, and a cell that is not needed any more is dropped.
 */
export class CellModules {
  /** By file name. */
  #cells = new Map<string, CellModule>();
  /** Name → the file that declared it last. */
  #owners = new Map<string, string>();
  /** What cells have put on `globalThis`. */
  readonly globals = new Set<string>();

  /** A cell as the person wrote it, if it is still needed. */
  code(file: string): string | undefined {
    return this.#cells.get(file)?.code;
  }

  /** The text of a cell's module. */
  text(file: string): string | undefined {
    return this.#cells.get(file)?.text;
  }

  /** Whether a cell is TypeScript or TSX. */
  kind(file: string): ts.ScriptKind | undefined {
    return this.#cells.get(file)?.kind;
  }

  /** The cells that add to what every cell sees: `declare global` and `declare module`. */
  get augmentations(): string[] {
    return [...this.#cells].filter(([, { augments }]) => augments).map(([file]) => file);
  }

  /** Adds a cell, which is then the newest. */
  add(file: string, code: string): void {
    const module = this.link(code);
    this.#cells.set(file, module);
    for (const name of module.declares) this.#owners.set(name, file);
    for (const name of module.globals) this.globals.add(name);
    this.#dropUnreachable(file);
  }

  /** Code as a module after all cells so far. @param every take all names, not only those that the code mentions */
  link(code: string, every = false): CellModule {
    const parsed = parseCell(code);
    const { source } = parsed;
    const declared = declaredNames(source);
    const declares = new Set(declared.map(({ name }) => name));
    const mentioned = every ? undefined : identifiers(source);
    const taken = new Map<string, string[]>();
    for (const [name, file] of this.#owners) {
      if (declares.has(name) || (mentioned && !mentioned.has(name))) continue;
      taken.set(file, [...(taken.get(file) ?? []), name]);
    }
    const imports = [...taken]
      .map(([file, names]) => `import { ${names.join(', ')} } from 'cell:${file}';`)
      .join(' ');
    const exported = new Set(declared.filter(({ isExported }) => !isExported).map(({ name }) => name));
    for (const name of exportedByList(source)) exported.delete(name);
    // as it was parsed: without the lines that are no code
    const text = `${source.text}\n;${imports} export { ${[...exported].join(', ')} };`;
    return {
      code,
      text,
      kind: scriptKindOf(parsed),
      parsed: source.text,
      imports,
      declares,
      globals: code.includes('global') ? globalNames(source) : [],
      needs: [...taken.keys()],
      augments: source.statements.some(isAugmentation),
    };
  }

  /** Forgets cells whose names have all been declared again and that no living cell takes a name from. */
  #dropUnreachable(newest: string): void {
    const reached = new Set<string>();
    const visit = (file: string): void => {
      if (reached.has(file)) return;
      reached.add(file);
      for (const needed of this.#cells.get(file)?.needs ?? []) visit(needed);
    };
    visit(newest);
    for (const file of [...this.#owners.values(), ...this.augmentations]) visit(file);
    for (const file of this.#cells.keys()) if (!reached.has(file)) this.#cells.delete(file);
  }
}

export interface CellModule {
  /** As the person wrote it. */
  code: string;
  /** The code and what links it. */
  text: string;
  /** The same without the lines that are no code, of the same length. */
  parsed: string;
  /** TypeScript or TSX. */
  kind: ts.ScriptKind;
  /** What stands for the names that it takes from earlier cells. */
  imports: string;
  declares: ReadonlySet<string>;
  /** Names that it puts on `globalThis`. */
  globals: readonly string[];
  /** Files that it takes names from. */
  needs: readonly string[];
  /** It declares something for all cells. */
  augments: boolean;
}

function isAugmentation(statement: ts.Statement): boolean {
  if (!ts.isModuleDeclaration(statement)) return false;
  return ts.isStringLiteral(statement.name) || (statement.flags & ts.NodeFlags.GlobalAugmentation) !== 0;
}

/** The names of `export { name }`, which stand for the cell's own. */
function exportedByList(source: ts.SourceFile): string[] {
  return source.statements.flatMap((statement) => {
    const clause = ts.isExportDeclaration(statement) ? statement.exportClause : undefined;
    return clause && ts.isNamedExports(clause) ? clause.elements.map(({ name }) => name.text) : [];
  });
}

function identifiers(source: ts.SourceFile): Set<string> {
  const found = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) found.add(node.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

interface DeclaredName {
  name: string;
  /** It has an `export` of its own. */
  isExported: boolean;
}

/** The names that a cell adds to the scope of the notebook. */
function declaredNames(source: ts.SourceFile): DeclaredName[] {
  const names: DeclaredName[] = [];
  for (const statement of source.statements) {
    const modifiers = ts.canHaveModifiers(statement) ? ts.getModifiers(statement) : undefined;
    const isExported = modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ?? false;
    const add = (name: ts.BindingName | undefined): void => {
      if (name === undefined) return;
      if (ts.isIdentifier(name)) {
        if (name.text !== '') names.push({ name: name.text, isExported });
      } else {
        for (const element of name.elements) if (!ts.isOmittedExpression(element)) add(element.name);
      }
    };
    if (ts.isVariableStatement(statement)) {
      for (const declaration of statement.declarationList.declarations) add(declaration.name);
    } else if (ts.isImportDeclaration(statement)) {
      add(statement.importClause?.name);
      const bindings = statement.importClause?.namedBindings;
      if (bindings && ts.isNamespaceImport(bindings)) add(bindings.name);
      else for (const element of bindings?.elements ?? []) add(element.name);
    } else if (
      ts.isFunctionDeclaration(statement) ||
      ts.isClassDeclaration(statement) ||
      ts.isInterfaceDeclaration(statement) ||
      ts.isTypeAliasDeclaration(statement) ||
      ts.isEnumDeclaration(statement) ||
      ts.isImportEqualsDeclaration(statement)
    ) {
      add(statement.name);
    } else if (ts.isModuleDeclaration(statement) && ts.isIdentifier(statement.name)) {
      add(statement.name);
    }
  }
  return names;
}
