import { BellwetherError } from '../core/errors';

/** The tables are not as the models declare them. */
export class SchemaMismatchError extends BellwetherError {
  override readonly code = 'E_SCHEMA_MISMATCH';
  override readonly recovery = 'fix-the-setup';

  constructor(problems: readonly string[]) {
    const count = problems.length === 1 ? 'one difference' : `${problems.length} differences`;
    super({
      what: `The database is not as the models declare it; ${count}:\n${problems.map((p) => `  - ${p}`).join('\n')}`,
      remedy: 'Run the pending migrations (bellwether migrate up), or write one, or correct the models.',
      details: { problems },
    });
  }
}
