import { InvalidMigrationError } from './errors';

export interface SqlMigration {
  readonly up: string;
  readonly down: string | undefined;
  readonly transaction: boolean;
  readonly safeForOldCode: boolean | undefined;
}

const DIRECTIVE = /^[ \t]*--[ \t]*migrate:(.*?)[ \t]*$/;

/**
 * Reads the sections of an SQL file: a line `-- migrate:up`, and, if it can be taken back, a line `-- migrate:down`.
 * Before the first section may stand `-- migrate:no-transaction`, `-- migrate:safe-for-old-code` and
 * `-- migrate:unsafe-for-old-code`.
 *
 * @throws InvalidMigrationError for a directive unknown, misplaced or twice, and for SQL outside of the sections
 */
export function parseSqlFile(name: string, text: string): SqlMigration {
  const sections = new Map<string, string[]>();
  const flags = new Set<string>();
  let section: string[] | undefined;
  const refuse = (what: string) => {
    throw new InvalidMigrationError({
      what: `${name}.sql ${what}.`,
      remedy:
        'Write flags such as `-- migrate:no-transaction` first, then a line `-- migrate:up` with SQL below, then `-- migrate:down` with SQL below.',
      details: { name },
    });
  };
  for (const line of text.split(/\r\n?|\n/)) {
    const directive = DIRECTIVE.exec(line)?.[1];
    if (directive === undefined) {
      if (section) section.push(line);
      else if (!/^\s*(--.*)?$/.test(line)) refuse('has SQL before `-- migrate:up`');
    } else if (directive === 'up' || directive === 'down') {
      if (sections.has(directive)) refuse(`has two sections ${directive}`);
      sections.set(directive, (section = []));
    } else if (FLAGS.includes(directive) && !section) flags.add(directive);
    else refuse(`has \`migrate:${directive}\`, which is ${FLAGS.includes(directive) ? 'misplaced' : 'unknown'}`);
  }
  if (!sections.has('up')) refuse('has no line `-- migrate:up`');
  const isSafe = flags.has('safe-for-old-code');
  return {
    up: sections.get('up')?.join('\n') ?? '',
    down: sections.get('down')?.join('\n'),
    transaction: !flags.has('no-transaction'),
    safeForOldCode: isSafe || flags.has('unsafe-for-old-code') ? isSafe : undefined,
  };
}

const FLAGS: readonly string[] = ['no-transaction', 'safe-for-old-code', 'unsafe-for-old-code'];

/**
 * What hides a semicolon: strings (those with E know backslashes), quoted names, dollar quotes, comments.
 *
 * @see PostgreSQL manual, section 4.1, "Lexical Structure"
 */
const TOKEN =
  /(?<![\w$])[eE]'(?:[^'\\]|\\[^]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|(?<![\w$])\$(?<tag>(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?)\$[^]*?\$\k<tag>\$|--[^\n]*|(?<comment>\/\*)|;|[^]/y;

/**
 * Splits SQL at the semicolons between statements, for statements that must travel alone. `begin atomic` bodies of SQL
 * functions are not understood: such functions belong in a migration with a transaction, which is sent whole.
 */
export function splitStatements(text: string): readonly string[] {
  const statements: string[] = [];
  let current = '';
  let hasCode = false;
  const end = () => {
    if (hasCode) statements.push(current.trim());
    current = '';
    hasCode = false;
  };
  for (let at = 0; at < text.length;) {
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(text)!; // its last branch takes any character
    const token = found.groups?.comment === undefined ? found[0] : commentAt(text, at);
    at += token.length;
    if (token === ';') end();
    else {
      current += token;
      hasCode ||= !/^(?:\s|--|\/\*)/.test(token);
    }
  }
  end();
  return statements;
}

/** Comments nest in PostgreSQL, which no regular expression can follow. */
function commentAt(text: string, start: number): string {
  let depth = 0;
  const edges = /\/\*|\*\//g;
  edges.lastIndex = start;
  for (let edge = edges.exec(text); edge; edge = edges.exec(text)) {
    depth += edge[0] === '/*' ? 1 : -1;
    if (depth === 0) return text.slice(start, edges.lastIndex);
  }
  return text.slice(start);
}
