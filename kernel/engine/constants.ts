import type { AnyNode, Identifier, Pattern, Program, Node as SyntaxNode } from 'acorn';
import type { Edit } from './edited-source.js';
import { namesOf, walk } from './syntax.js';

/** Nodes between whose braces or heads a name can be declared. */
const SCOPE = /^Program$|Function|Block|^For|^Switch|^Class|^Catch/;

/** A place where a variable is assigned to; `{ name } = …` is a shorthand. */
interface Assignment {
  node: Identifier;
  isShorthand: boolean;
}

/**
 * The edits that make each assignment to one of these names throw where it stands, as the language has it for what
 * is declared with `const` and what a cell declares with `let` instead. The name becomes the `value` of an object
 * that can only be read; all other code, reading included, stays as it is and as fast.
 * @param constants names that the program declares at its top
 */
export function constantEdits(program: Program, constants: ReadonlySet<string>, kernel: string): Edit[] {
  return assignmentsTo(program, constants).map(({ node: { name, start, end }, isShorthand }) => {
    const text = `${kernel}.constant(${name}).value`;
    return { start, end, text: isShorthand ? `${name}:${text}` : text };
  });
}

/** Where a program assigns to one of these names, which it declares at its top; declarations do not count. */
export function assignmentsTo(program: Program, names: ReadonlySet<string>): Assignment[] {
  if (names.size === 0) return [];
  const parents = new Map<SyntaxNode, SyntaxNode | undefined>();
  const bound = new Map<SyntaxNode, string[]>();
  const scopeOf = (node: SyntaxNode | undefined, type = SCOPE): SyntaxNode => {
    return node === undefined || type.test(node.type) ? (node ?? program) : scopeOf(parents.get(node), type);
  };
  const bind = (scope: SyntaxNode, ...patterns: (Pattern | null | undefined)[]) => {
    bound.set(scope, [...(bound.get(scope) ?? []), ...patterns.flatMap((pattern) => namesOf(pattern))]);
  };
  const targets: Assignment[] = [];
  const assign = (target: Pattern | null, isShorthand = false): void => {
    if (target?.type === 'Identifier') targets.push({ node: target, isShorthand });
    else if (target?.type === 'AssignmentPattern') assign(target.left, isShorthand);
    else if (target?.type === 'RestElement') assign(target.argument);
    else if (target?.type === 'ArrayPattern') for (const element of target.elements) assign(element);
    else if (target?.type === 'ObjectPattern') {
      for (const property of target.properties) {
        if (property.type === 'RestElement') assign(property);
        else assign(property.value, property.shorthand);
      }
    }
  };
  walk(program, (visited, parent) => {
    parents.set(visited, parent);
    const node = visited as AnyNode;
    switch (node.type) {
      case 'VariableDeclaration': {
        const scope = scopeOf(parent, node.kind === 'var' ? /^Program$|Function|^StaticBlock$/ : SCOPE);
        bind(scope, ...node.declarations.map(({ id }) => id));
        break;
      }
      case 'FunctionDeclaration':
      case 'ClassDeclaration':
        bind(scopeOf(parent), node.id);
        if (node.type === 'FunctionDeclaration') bind(node, ...node.params);
        break;
      case 'FunctionExpression':
        bind(node, node.id, ...node.params);
        break;
      case 'ArrowFunctionExpression':
        bind(node, ...node.params);
        break;
      case 'ClassExpression':
        bind(node, node.id);
        break;
      case 'CatchClause':
        bind(node, node.param);
        break;
      case 'AssignmentExpression':
        assign(node.left);
        break;
      case 'UpdateExpression':
        assign(node.argument as Pattern);
        break;
      case 'ForInStatement':
      case 'ForOfStatement':
        if (node.left.type !== 'VariableDeclaration') assign(node.left);
    }
  });
  const isOfCell = (name: string, scope: SyntaxNode): boolean => {
    if (scope === program) return true;
    return !bound.get(scope)?.includes(name) && isOfCell(name, scopeOf(parents.get(scope)));
  };
  return targets.filter(
    ({ node }) => names.has(node.name) && isOfCell(node.name, scopeOf(parents.get(node))),
  );
}
