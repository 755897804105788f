import { UserError } from '../common/errors.js';

/** A model folder that cannot be used: a file is missing, damaged, or describes a model that is not known. */
export class ModelFileError extends UserError {
  override name = 'ModelFileError';
}

/** A safetensors file that is missing, truncated or lacks a tensor. */
export class SafetensorsError extends UserError {
  override name = 'SafetensorsError';
}

/** An adapter that cannot be made, does not fit its base model, or uses what is not supported. */
export class AdapterError extends UserError {
  override name = 'AdapterError';
}

/** A model that is neither a folder nor in the cache, and that could not be downloaded. */
export class HubError extends UserError {
  override name = 'HubError';
}

/** A token that the model's vocabulary was cut of. */
export class VocabularyCutError extends UserError {
  override name = 'VocabularyCutError';
}
