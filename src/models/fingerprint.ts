import { fingerprintFolder } from '../common/fingerprint.js';

/** The files of a model or adapter folder that what it computes depends on. */
const meaningful =
  /^(config|generation_config|tokenizer|tokenizer_config|adapter_config|model\.safetensors\.index)\.json$|^(model|adapter_model).*\.safetensors$|^adapter_model\.bin$|\.jinja$/;

/** A short name of what a model or adapter folder holds, to notice that it has changed. */
export function fingerprintModel(folder: string): string {
  return fingerprintFolder(folder, meaningful);
}
