import { buildTensorFlowAddon, type TensorFlowBuildOptions } from '../../tensors/tensorflow/build.js';
import type { CommandFile } from '../command.js';

export default {
  configure(command) {
    command
      .option('--python <path>', 'a Python that has TensorFlow; the active one unless given')
      .option('--output-dir <folder>', 'where to keep the addon; a folder of the cache unless given');
  },
  async run(_, options: TensorFlowBuildOptions) {
    const onStep = (text: string) => process.stderr.write(`${text}\n`);
    const { folder, version } = buildTensorFlowAddon({ ...options, onStep });
    process.stdout.write(`wrote ${folder}: --backend tensorflow computes with TensorFlow ${version}\n`);
    if (options.outputDir) process.stdout.write(`set ARCLAB_TENSORFLOW=${folder} to use it\n`);
  },
} satisfies CommandFile;
