import type { Given, Source } from './given';
import { unknownName } from './given';
import { isOptionName, variableOf } from './options';

const PREFIX = 'BELLBOT_';

/** `BELLBOT_…`, and ngrok's own variable for its token. */
export function readEnvironment(environment: Readonly<NodeJS.ProcessEnv>): Source {
  const given: Given[] = [];
  const mistakes: string[] = [];
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith(PREFIX)) continue;
    const name = nameOf(variable);
    if (isOptionName(name)) given.push({ name, text: text ?? '', from: 'environment' });
    else mistakes.push(unknownName(`${variable} (environment)`, name, variableOf));
  }
  const ngrok = environment.NGROK_AUTHTOKEN;
  if (ngrok && !given.some(({ name }) => name === 'ngrok-token')) {
    given.push({ name: 'ngrok-token', text: ngrok, from: 'environment, NGROK_AUTHTOKEN' });
  }
  return { given, mistakes };
}

/** The option that a variable stands for, whether there is one or not. */
export const nameOf = (variable: string): string =>
  variable.startsWith(PREFIX) ? variable.slice(PREFIX.length).toLowerCase().replaceAll('_', '-') : variable;
