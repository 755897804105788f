/**
 * A model learns a rule and applies it, on the GPU of a web page (see browser.html). What it is given of arclab is
 * what `arclab/browser` exports.
 */

/** The rule: 3 becomes 8. */
const rule = (grid) => grid.replaceAll('3', '8');
const asked = '0320\n3000\n0033\n2300';

/** A grid of 4×4 cells. */
function drawGrid(rng) {
  const colours = [0, 3, rng.int(1, 9)];
  const row = () => Array.from({ length: 4 }, () => rng.pick(colours)).join('');
  return [row(), row(), row(), row()].join('\n');
}

/** An example of the rule and the grid that is asked for, as the base model has learned to read them. */
const question = (shown, grid) => `${shown}\n>\n${rule(shown)}\n\n${grid}`;

/**
 * Trains an adapter for some steps, and lets the model answer.
 * @param {typeof import('arclab/browser')} arclab
 * @param {import('arclab/browser').FilesInMemory} files of the model, by their names
 * @param {(line: string) => void} show
 */
export async function learnAndAnswer(
  { generate, loadDecoder, loadTokenizer, Rng, Trainer },
  files,
  show,
  steps = 12,
) {
  const tokenizer = loadTokenizer(files);
  const lora = { rank: 8, alpha: 16, dropout: 0.05, useRslora: false, useDora: false, init: 'default' };
  const decoder = await loadDecoder(files, { lora, rng: Rng.of(7, 'lora') });
  const promptOf = (shown, grid) => {
    const turns = [{ role: 'user', content: question(shown, grid) }];
    return tokenizer.encode(tokenizer.renderChat(turns, { addGenerationPrompt: true }));
  };
  const sampleAt = (index) => {
    const rng = Rng.of(7, 'grid', index);
    const [shown, grid] = [drawGrid(rng), drawGrid(rng)];
    const prompt = promptOf(shown, grid);
    const tokens = [...prompt, ...tokenizer.encode(rule(grid)), tokenizer.endOfTurnId];
    // the loss counts the answer, not the prompt
    const labelSpans = [[prompt.length, tokens.length]];
    return {
      index,
      tokens: Int32Array.from(tokens),
      labelSpans,
      kind: 'example',
      dataset: 'example',
      weight: 1,
    };
  };
  let drawn = 0;
  const samples = { next: async () => sampleAt(drawn++) };
  const trainer = new Trainer(decoder, samples, {
    seed: 7,
    schedule: () => 1e-2,
    batchSize: 2,
    maxTokensPerBatch: 512,
    maxGradNorm: 1,
    weightDecay: 0,
  });
  const losses = [];
  for (let step = 1; step <= steps; step++) {
    const { loss } = await trainer.step();
    losses.push(loss);
    show(`step ${step}: a loss of ${loss.toFixed(4)} per token`);
  }
  trainer.dispose();
  const request = { tokens: promptOf(drawGrid(Rng.of(7, 'shown')), asked), samples: 1, stream: 'example' };
  const options = { maxNewTokens: 24, temperature: 0, seed: 7 };
  const [[answer]] = await generate(decoder, tokenizer, [request], options);
  decoder.dispose();
  show(`asked:\n${asked}\nanswered:\n${answer.text}\nright:\n${rule(asked)}`);
  return { losses, answer: answer.tokens, text: answer.text };
}
