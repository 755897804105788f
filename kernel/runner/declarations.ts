/** How the cell tagged `parameters` declares a name. */
export interface Declaration {
  keyword: 'const' | 'let' | 'var';
  /** With its colon, such as `: number`; absent where the cell names none. */
  type?: string;
}

/** The names that a cell declares at its top level. */
export async function declaredNames(source: string, language: string): Promise<Map<string, Declaration>> {
  if (language === 'python') {
    const names = [...source.matchAll(/^([^\W\d]\w*)\s*(?::[^=\n]+)?=(?!=)/gmu)].map((match) => match[1]!);
    return new Map(names.map((name) => [name, { keyword: 'const' }]));
  }
  // loaded only for runs with parameters: it takes a while
  const { default: ts } = await import('typescript');
  const file = ts.createSourceFile('parameters.ts', source, ts.ScriptTarget.Latest, true);
  const found = new Map<string, Declaration>();
  for (const statement of file.statements) {
    if (!ts.isVariableStatement(statement)) continue;
    const { flags, declarations } = statement.declarationList;
    const keyword = flags & ts.NodeFlags.Const ? 'const' : flags & ts.NodeFlags.Let ? 'let' : 'var';
    for (const { name, type } of declarations) {
      const take = (binding: typeof name): void => {
        if (ts.isIdentifier(binding)) {
          found.set(binding.text, {
            keyword,
            ...(type && binding === name && { type: `: ${type.getText()}` }),
          });
        } else {
          for (const element of binding.elements) if (ts.isBindingElement(element)) take(element.name);
        }
      };
      take(name);
    }
  }
  return found;
}
