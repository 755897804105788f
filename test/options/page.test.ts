import { expect, test } from 'vitest';
import { optionPage } from '../../src/options/page.js';

test('docs/options.md is what the tables say (npm run docs writes it)', async () => {
  await expect(optionPage()).toMatchFileSnapshot('../../docs/options.md');
});
