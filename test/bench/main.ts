/** `npm run bench [name…]`: every bench compares two things in one run and prints the ratio. */
import * as decode from './decode.bench.js';
import * as matmul from './matmul.bench.js';
import * as trainStep from './train-step.bench.js';

const benches: Record<string, () => Promise<void>> = {
  matmul: matmul.run,
  decode: decode.run,
  'train-step': trainStep.run,
};

async function main(): Promise<void> {
  const [first, second] = process.argv.slice(2);
  if (first === '--side') {
    await trainStep.measureTrainStep(second as string);
    return;
  }
  const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(benches);
  for (const name of names) {
    const bench = benches[name];
    if (!bench) throw new Error(`unknown bench "${name}". Known benches: ${Object.keys(benches).join(', ')}`);
    await bench();
    console.log();
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
