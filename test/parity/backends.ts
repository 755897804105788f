/** The backends of parity tests; apart from the fixtures, which ask for nothing that a machine may lack. */
import { backendsUnderTest, openBackends, webGpuUnderTest } from '../prerequisites/index.js';

const present = ['cpu', ...backendsUnderTest()];

/** Every backend that is present, for tests that must hold on each. */
export const backends = openBackends(present);

/** Also the one that is read from only by awaiting. */
export const awaitedBackends = openBackends([...present, ...webGpuUnderTest()]);
