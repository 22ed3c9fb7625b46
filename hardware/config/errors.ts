import { BellBotError } from '../errors';

/** The configuration, with each of its mistakes. */
export class ConfigError extends BellBotError {
  override readonly code = 'E_CONFIG';
  override readonly recovery = 'fix-the-setup';
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    const list = mistakes.map((mistake) => `\n  - ${mistake}`).join('');
    super({
      what: `The configuration has ${mistakes.length === 1 ? 'a mistake' : `${mistakes.length} mistakes`}:${list}`,
      remedy: 'Correct it; bellbot --help tells the options, and bellbot --check shows what is in effect.',
      details: { mistakes },
    });
    this.mistakes = mistakes;
  }
}
