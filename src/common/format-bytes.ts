/** A size of memory with three digits, such as `1.46 GiB`; four where three would need an exponent. */
export function formatBytes(bytes: number): string {
  const [size, unit] = bytes < 2 ** 30 ? [bytes / 2 ** 20, 'MiB'] : [bytes / 2 ** 30, 'GiB'];
  return `${size.toPrecision(size < 999.5 ? 3 : 4)} ${unit}`;
}

/** A size of memory to a tenth of a MiB, for two of them that may be nearly equal. */
export const formatMebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
