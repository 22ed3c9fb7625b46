import { BellwetherError } from '../core/errors';

/** A counter has less left than was asked for, or less room: nothing was changed. */
export class CounterExhaustedError extends BellwetherError {
  override readonly code = 'E_COUNTER_EXHAUSTED';
  override readonly recovery = 'fix-the-input';

  constructor(model: string, attribute: string, bound: 'min' | 'max') {
    super({
      what:
        bound === 'min'
          ? `${model}.${attribute} has not that much left; nothing was changed.`
          : `${model}.${attribute} has no room for that much; nothing was changed.`,
      remedy: 'Ask for less, or tell whoever asked; it may change when others give back.',
      details: { model, attribute, bound },
    });
  }
}

/** A counter was to be changed by something that is no amount. */
export class CounterAmountError extends BellwetherError {
  override readonly code = 'E_COUNTER_AMOUNT';
  override readonly recovery = 'fix-the-input';

  constructor(model: string, attribute: string) {
    super({
      what: `${model}.${attribute} can be changed by a whole number above zero only.`,
      remedy: 'Check the amount; to take away, decrement by it.',
      details: { model, attribute },
    });
  }
}
