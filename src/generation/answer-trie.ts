/** A token of an answer, after those that lead to it: answers that begin alike share their nodes. */
export class AnswerNode {
  readonly children = new Map<number, AnswerNode>();
  /** Log-probability of this token after those before it, in nats; NaN when it is not finite, absent until it is known. */
  logProb: number | undefined;
  /** Where a grammar is after this token; absent without one, and after a token that it does not allow. */
  state: object | undefined;

  /** The nodes of an answer, which are added where they are missing. */
  add(answer: readonly number[]): AnswerNode[] {
    let node: AnswerNode = this;
    return answer.map((token) => {
      let child = node.children.get(token);
      if (child === undefined) {
        child = new AnswerNode();
        node.children.set(token, child);
      }
      node = child;
      return child;
    });
  }
}

/** A token that is fed to learn what follows it. */
export interface FedToken {
  readonly token: number;
  readonly node: AnswerNode;
}

/**
 * The ways from the root to each last node with a child, depth first: what has to be fed to know the probability of
 * every token of every answer. A way goes on from the beginning that it shares with the one before.
 */
export function branches(root: AnswerNode): (readonly FedToken[])[] {
  const found: (readonly FedToken[])[] = [];
  const path: FedToken[] = [];
  const walk = (from: AnswerNode): void => {
    const inner = [...from.children].filter(([, { children }]) => children.size > 0);
    if (inner.length === 0 && from.children.size > 0) found.push([...path]);
    for (const [token, node] of inner) {
      path.push({ token, node });
      walk(node);
      path.pop();
    }
  };
  walk(root);
  return found;
}
