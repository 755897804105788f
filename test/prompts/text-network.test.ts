import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TextNetwork } from '../../src/prompts/text-network.js';

const utf8 = (text: string) => new TextEncoder().encode(text);

describe('TextNetwork', () => {
  it('contains exactly the pieces of what walks write', () => {
    const edges = fc.array(
      fc.record({
        from: fc.nat({ max: 3 }),
        to: fc.nat({ max: 3 }),
        text: fc.string({ unit: fc.constantFrom('a', 'b', 'é'), maxLength: 3 }),
      }),
      { minLength: 1, maxLength: 6 },
    );
    fc.assert(
      fc.property(edges, (list) => {
        const network = new TextNetwork();
        const nodes = Array.from({ length: 4 }, () => network.node());
        for (const { from, to, text } of list) network.edge(nodes[from]!, nodes[to]!, text);
        // walks of up to 7 edges, by brute force; pieces of 2 bytes may span at most 2 edges that write and those
        // between them that do not, which are at most 4 in a row without a circle
        let walks = [0, 1, 2, 3].map((node) => ({ node, text: '' }));
        const pieces = new Set<string>();
        for (let step = 0; step < 7; step++) {
          walks = walks.flatMap(({ node, text }) =>
            list
              .filter(({ from }) => from === node)
              .map((edge) => ({ node: edge.to, text: text + edge.text })),
          );
          // two walks that wrote the same and are at one place go on alike
          walks = [...new Map(walks.map((walk) => [`${walk.node} ${walk.text}`, walk])).values()].slice(
            0,
            3000,
          );
          for (const { text } of walks) {
            const bytes = utf8(text);
            for (let i = 0; i < bytes.length; i++) {
              pieces.add(String([bytes[i]]));
              if (i > 0) pieces.add(String([bytes[i - 1], bytes[i]]));
            }
          }
        }
        const alphabet = [...utf8('abé')];
        for (const a of alphabet) {
          expect(network.contains(Uint8Array.of(a))).toBe(pieces.has(String([a])));
          for (const b of alphabet) {
            expect(network.contains(Uint8Array.of(a, b))).toBe(pieces.has(String([a, b])));
          }
        }
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it('follows long texts across edges, and only along them', () => {
    const network = new TextNetwork();
    const [a, b, c] = [network.node(), network.node(), network.node()];
    network.edge(a, b, 'one ');
    network.edge(a, c, 'once ');
    network.edge(b, b, 'more ');
    network.edge(b, c, '');
    network.edge(c, a, 'and ');
    for (const text of ['e more more and on', 'ce and once and one and', 'one more ', 'd once', '']) {
      expect(network.contains(utf8(text))).toBe(true);
    }
    for (const text of ['once more', 'and and', 'onee', 'one once']) {
      expect(network.contains(utf8(text))).toBe(false);
    }
  });
});
