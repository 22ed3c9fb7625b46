import { createHash } from 'node:crypto';

/** The name under which a text is prepared: one name always stands for one text. */
export function statementName(text: string): string {
  return `bw_${createHash('sha1').update(text).digest('hex').slice(0, 20)}`;
}
