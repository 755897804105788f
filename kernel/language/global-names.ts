import ts from 'typescript';

/**
 * The names that a cell puts on `globalThis`: by an assignment, `Object.assign` or `Object.defineProperty`. They are
 * there for every later cell, of which TypeScript knows nothing.
 */
export function globalNames(source: ts.SourceFile): string[] {
  const names: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isBinaryExpression(node) && isAssignment(node.operatorToken.kind)) {
      const target = node.left;
      if (ts.isPropertyAccessExpression(target) && isGlobal(target.expression)) names.push(target.name.text);
      if (ts.isElementAccessExpression(target) && isGlobal(target.expression)) add(target.argumentExpression);
    }
    if (ts.isCallExpression(node) && isGlobal(node.arguments[0])) {
      const called = node.expression.getText(source);
      if (called === 'Object.defineProperty') add(node.arguments[1]);
      if (called === 'Object.assign') for (const from of node.arguments.slice(1)) addProperties(from);
    }
    ts.forEachChild(node, visit);
  };
  const add = (key: ts.Node | undefined) => {
    if (key && ts.isStringLiteralLike(key)) names.push(key.text);
  };
  const addProperties = (from: ts.Node) => {
    if (!ts.isObjectLiteralExpression(from)) return;
    for (const { name } of from.properties) {
      if (name && (ts.isIdentifier(name) || ts.isStringLiteralLike(name))) names.push(name.text);
    }
  };
  visit(source);
  return names;
}

function isAssignment(kind: ts.SyntaxKind): boolean {
  return kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;
}

/** `globalThis` and `global`, also as `(globalThis as any)`. */
function isGlobal(node: ts.Node | undefined): boolean {
  if (node === undefined) return false;
  if (ts.isParenthesizedExpression(node) || ts.isAsExpression(node) || ts.isNonNullExpression(node)) {
    return isGlobal(node.expression);
  }
  return ts.isIdentifier(node) && (node.text === 'globalThis' || node.text === 'global');
}
