import { createDatabase } from '../client/create-database';
import type { Command } from './command';

/** What the command does to the world; tests pass their own. */
export interface CreateDependencies {
  readonly createDatabase: typeof createDatabase;
}

export const makeCreateCommand = ({ createDatabase }: CreateDependencies): Command => ({
  name: 'db create',
  summary: 'Create a database beside the one that DATABASE_URL names, or on the embedded server, if it is not there.',
  arguments: [{ name: '<name>', description: 'its name' }],
  async run({ arguments: [name] }, context) {
    const url = context.env.DATABASE_URL || undefined;
    // The argument is required, so it is there.
    const isNew = await createDatabase(name!, { ...(url && { url }), onProgress: context.complain });
    context.complain(isNew ? 'created' : 'was there');
  },
});

/** The command over a real server. Last in the file: the function above must be there first. */
export const createCommand = makeCreateCommand({ createDatabase });
