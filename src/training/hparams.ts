/**
 * @file The options of a run for TensorBoard's HParams page (tensorboard/plugins/hparams/plugin_data.proto): a summary
 * that says with which values a session began, and one that says how it ended. Each stands in an event file of its own
 * beside the scalars of the run, from which the page takes the metrics.
 */

import { bytesField, doubleField, messageField, varintField } from './protobuf.js';
import { EventFileWriter } from './tensorboard.js';

/** A value that the page can sort and filter by. */
export type Hparam = number | string | boolean;

/** TensorBoard reads the files of a folder in the order of their names, and no file again after the next. */
const BEFORE = -1000;
const AFTER = 1000;

const PLUGIN = 'hparams';
const SUCCESS = 1;
/** `DataClass.DATA_CLASS_TENSOR`, `DataType.DT_FLOAT`. */
const TENSOR = 2;
const FLOAT = 1;

/** `google.protobuf.Value`. */
function protoValue(value: Hparam): Buffer {
  if (typeof value === 'number') return doubleField(2, value);
  return typeof value === 'boolean' ? varintField(4, Number(value)) : bytesField(3, value);
}

/** A `Summary.Value` whose content is in its metadata; its tensor is empty. */
function pluginValue(tag: string, content: Buffer): Buffer {
  const plugin = messageField(1, bytesField(1, PLUGIN), bytesField(2, content));
  const emptyTensor = messageField(8, varintField(1, FLOAT), messageField(2, messageField(2)));
  return messageField(1, bytesField(1, tag), messageField(9, plugin, varintField(4, TENSOR)), emptyTensor);
}

function write(folder: string, value: Buffer, now: number): void {
  const writer = new EventFileWriter(folder, 0, now);
  writer.summary(0, [value], now);
  writer.close();
}

/**
 * Writes the values that a run begins with.
 * @param folder of its event files: `logs/`
 * @param now in ms since 1970
 */
export function writeHparams(
  folder: string,
  values: Readonly<Record<string, Hparam>>,
  now = Date.now(),
): void {
  // a map is a list of its entries
  const entries = Object.entries(values).map(([name, value]) =>
    messageField(1, bytesField(1, name), messageField(2, protoValue(value))),
  );
  const session = messageField(3, ...entries, doubleField(5, now / 1000));
  write(folder, pluginValue('_hparams_/session_start_info', session), now + BEFORE);
}

/** Writes that a run has come to its end, and what it was worth in numbers, by tag. */
export function writeHparamsEnd(
  folder: string,
  { step, scalars = {} }: { step: number; scalars?: Readonly<Record<string, number>> },
  now = Date.now(),
): void {
  const end = messageField(4, varintField(1, SUCCESS), doubleField(2, now / 1000));
  const writer = new EventFileWriter(folder, 0, now + AFTER);
  writer.summary(0, [pluginValue('_hparams_/session_end_info', end)], now);
  if (Object.keys(scalars).length > 0) writer.scalars(step, scalars, now);
  writer.close();
}
