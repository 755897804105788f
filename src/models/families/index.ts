import type { Family } from './family.js';
import { gemma2 } from './gemma2.js';
import { gemma3Text } from './gemma3_text.js';
import { llama } from './llama.js';
import { ministral } from './ministral.js';
import { ministral3 } from './ministral3.js';
import { mistral } from './mistral.js';
import { phi3 } from './phi3.js';
import { qwen2 } from './qwen2.js';
import { qwen3 } from './qwen3.js';
import { smollm3 } from './smollm3.js';

/** Every family that can be loaded. */
export const families: readonly Family[] = [
  qwen2,
  qwen3,
  llama,
  mistral,
  ministral,
  ministral3,
  gemma2,
  gemma3Text,
  phi3,
  smollm3,
];

/** The family of a `model_type`. */
export const familyOf = (modelType: string): Family | undefined =>
  families.find((family) => family.modelType === modelType);

/** Why a `model_type` that has no family is not loaded, where more is known of it. */
export const refusalOf = (modelType: string): string | undefined =>
  families.map(({ relatives }) => relatives?.[modelType]).find((reason) => reason !== undefined);

/** All families as a message lists them. */
export const knownFamilies = (): string =>
  families
    .map(({ modelType, alsoKnownAs }) => (alsoKnownAs ? `${modelType} (also ${alsoKnownAs})` : modelType))
    .join(', ');
