import type { Reporter, TestModule } from 'vitest/node';

/** Names the tests that passed only when they were run again (`--retry`), so that none of them is overlooked. */
export default class UnstableReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const unstable = modules.flatMap((module) =>
      [...module.children.allTests()].filter((test) => test.diagnostic()?.flaky === true),
    );
    if (unstable.length === 0) return;
    const lines = unstable.map((test) => {
      const why = test.result().errors?.[0]?.message.split('\n')[0]?.slice(0, 200);
      return `  ${test.module.relativeModuleId}: ${test.fullName}: ${why}`;
    });
    console.log(`\nUnstable: failed at first, passed when run again:\n${lines.join('\n')}\n`);
  }
}
