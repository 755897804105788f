export { addAdapter } from './adapter.js';

export type { AdapterState } from './adapter-state.js';
export {
  type AttachOptions,
  adapterState,
  attachAdapter,
  bytesToAttach,
  detachAdapter,
  type MergeMode,
} from './attach.js';
export { type DecoderConfig, parseConfig } from './config.js';
export { Decoder } from './decoder.js';
export { type DownloadProgress, downloadNotes } from './download.js';
export { AdapterError, HubError, ModelFileError, SafetensorsError, VocabularyCutError } from './errors.js';
export { type ResolveOptions, resolveModel } from './hub.js';
export { type InitModelOptions, initModel } from './init-model.js';
export { KvCache } from './kv-cache.js';
export { type LoadOptions, loadDecoder, readAdapter, readAdapterBase, readConfig } from './load.js';
export { defaultTargetModules, type LoraInit, type LoraOptions } from './lora.js';
export { type PackedTokens, packSequences } from './packed-tokens.js';
export { type HostTensor, readSafetensors, SafetensorsFile, writeSafetensors } from './safetensors.js';
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
