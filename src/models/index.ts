export { addAdapter } from './adapter.js';

export type { AdapterState } from './adapter-state.js';
export { adapterState, attachAdapter, bytesToAttach, detachAdapter } from './attach.js';
export type { DecoderConfig } from './config.js';
export { Decoder } from './decoder.js';
export { downloadNotes } from './download.js';
export { VocabularyCutError } from './errors.js';
export { resolveModel } from './hub.js';
export { initModel } from './init-model.js';
export { KvCache } from './kv-cache.js';
export { loadDecoder, readAdapter, readAdapterBase, readConfig } from './load.js';
export type { LoraOptions } from './lora.js';
export { packSequences } from './packed-tokens.js';
export { readSafetensors, writeSafetensors } from './safetensors.js';
export {
  assertNewFolder,
  saveAdapter,
  saveAdapterWhole,
  saveModel,
  savePrunedModel,
  startFolder,
  writeAdapter,
} from './save.js';
export { VocabularyCut } from './vocabulary-cut.js';
export { modelShapes } from './weights.js';
