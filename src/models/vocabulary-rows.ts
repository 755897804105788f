/** Adapters of embeddings and head between the rows of a decoder, perhaps of some tokens only, and those of all. */
import type { AdapterModule, FloatsOnHost } from './adapter-state.js';
import { baseTable, rowNorms } from './base-tables.js';
import type { Decoder } from './decoder.js';
import type { MatrixPart } from './parts.js';
import type { VocabularyCut } from './vocabulary-cut.js';

/** A module for the rows that a decoder has: those of the kept tokens, where its vocabulary is cut. */
export function ownRows({ cut }: Decoder, { use }: MatrixPart, module: AdapterModule): AdapterModule {
  if (!cut || use === 'projection') return module;
  const { b, magnitude } = module;
  return {
    ...module,
    b: keptRows(cut, b),
    ...(magnitude ? { magnitude: keptRows(cut, magnitude) } : {}),
  };
}

/**
 * A module for the rows of the whole vocabulary: for a token that is not kept the adapter changes nothing.
 * @param module of the rows that the decoder has
 */
export function allRows(decoder: Decoder, { use, name }: MatrixPart, module: AdapterModule): AdapterModule {
  const { cut, config } = decoder;
  if (!cut || use === 'projection') return module;
  const { b, magnitude } = module;
  const all = (tensor: FloatsOnHost, values: Float32Array): FloatsOnHost => {
    const [, width = 1] = tensor.shape;
    cut.restore(tensor.values, values, width);
    return { ...tensor, shape: [config.vocabSize, ...tensor.shape.slice(1)], values };
  };
  const zeros = new Float32Array(config.vocabSize * b.shape[1]!);
  return {
    ...module,
    b: all(b, zeros),
    ...(magnitude ? { magnitude: all(magnitude, rowNorms(baseTable(decoder.adapterBase(), name))) } : {}),
  };
}

/** A whole table for the rows that a decoder has. */
export function ownTable({ cut }: Decoder, { use }: MatrixPart, table: FloatsOnHost): FloatsOnHost {
  return !cut || use === 'projection' ? table : keptRows(cut, table);
}

/** A table for the rows of the whole vocabulary: tokens that are not kept have the base's. */
export function wholeTable(decoder: Decoder, { use, name }: MatrixPart, table: FloatsOnHost): FloatsOnHost {
  const { cut } = decoder;
  if (!cut || use === 'projection') return table;
  const { shape, values } = baseTable(decoder.adapterBase(), name);
  cut.restore(table.values, values, shape[1]!);
  return { ...table, shape, values };
}

function keptRows(cut: VocabularyCut, tensor: FloatsOnHost): FloatsOnHost {
  const [, width = 1] = tensor.shape;
  return {
    ...tensor,
    shape: [cut.kept.length, ...tensor.shape.slice(1)],
    values: cut.cut(tensor.values, width),
  };
}
