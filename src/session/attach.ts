/** @file An adapter on a model that answers: as fast as without one where the memory suffices. */
import { freemem } from 'node:os';
import {
  type AdapterState,
  attachAdapter,
  bytesToAttach,
  type Decoder,
  detachAdapter,
} from '../models/index.js';
import { OutOfMemoryError } from '../tensors/errors.js';

/** Part of the free memory that merged copies may take. */
const COPIES_SHARE = 0.5;

/**
 * Attaches an adapter, merged into copies of its projections where the memory suffices, or none.
 * @returns whether one is merged
 */
export async function attach(
  decoder: Decoder,
  adapter: AdapterState | undefined,
  onNote: (text: string) => void,
): Promise<boolean> {
  if (adapter === undefined) {
    detachAdapter(decoder);
    return false;
  }
  const bytes = bytesToAttach(decoder, adapter, { merge: 'copy' });
  if (bytes <= COPIES_SHARE * freemem()) {
    try {
      await attachAdapter(decoder, adapter, { merge: 'copy' });
      return decoder.matrices().every((matrix) => matrix.adapter === undefined);
    } catch (error) {
      // what a device has free is known only when it does not suffice
      if (!(error instanceof OutOfMemoryError)) throw error;
    }
  }
  onNote(
    `the adapter is not merged: merged copies of its projections take ${(bytes / 1e9).toFixed(1)} GB, which is too ` +
      'much for the free memory; decoding is a little slower',
  );
  await attachAdapter(decoder, adapter, { merge: 'never' });
  return false;
}
