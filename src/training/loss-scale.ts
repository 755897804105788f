/** Where a {@link LossScale} is: all that an exact continuation needs. */
export interface LossScaleState {
  readonly scale: number;
  /** Steps since the scale was changed, or since an overflow. */
  readonly goodSteps: number;
}

/**
 * torch.amp.GradScaler's numbers: what to start with, and after how many steps without overflow to try twice as much.
 * No options: the factor finds its place by itself within some steps, and is part of the checkpoint.
 */
const START = 2 ** 16;
const GROWTH_INTERVAL = 2000;

/**
 * The factor on the loss in float16, in which small gradients would be zero: it is halved when gradients overflow,
 * and doubled when they have not for long (Micikevicius et al. 2018). In other types it is 1 and stays so.
 */
export class LossScale {
  state: LossScaleState;
  readonly #dynamic: boolean;

  constructor(dynamic: boolean) {
    this.#dynamic = dynamic;
    this.state = { scale: dynamic ? START : 1, goodSteps: 0 };
  }

  get value(): number {
    return this.state.scale;
  }

  /**
   * Learns from a step.
   * @returns whether the step is lost: it overflowed, and a smaller factor would not have helped
   */
  update(finite: boolean): boolean {
    if (!this.#dynamic) return !finite;
    const { scale, goodSteps } = this.state;
    if (!finite) {
      this.state = { scale: Math.max(1, scale / 2), goodSteps: 0 };
      return scale === 1;
    }
    const grown = goodSteps + 1 >= GROWTH_INTERVAL;
    this.state = grown ? { scale: scale * 2, goodSteps: 0 } : { scale, goodSteps: goodSteps + 1 };
    return false;
  }
}
