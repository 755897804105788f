/** PEFT's names of the two files of an adapter folder. */
export const adapterConfigName = 'adapter_config.json';
export const adapterWeightsName = 'adapter_model.safetensors';

/**
 * Set in the header of adapter_model.safetensors when its second half undoes PiSSA's change to the base: PEFT
 * sees a plain LoRA of twice the rank, and training can be continued from the first half.
 */
export const pissaRankKey = 'arclab_pissa_rank';
