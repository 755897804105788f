import { vi } from 'vitest';

/** Catches what is written to both streams from now on, until the mocks are restored. */
export function catchPrinted(): { text: string } {
  const printed = { text: '' };
  const keep = (text: unknown) => {
    printed.text += String(text);
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(keep);
  vi.spyOn(process.stderr, 'write').mockImplementation(keep);
  return printed;
}
