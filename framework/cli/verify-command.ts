import { connect } from '../client/connect';
import { sentenceOf } from '../verify/finding';
import type { Finding } from '../verify/finding';
import type { Command } from './command';
import { loadModels } from './load-models';

/** What the command does to the world; tests pass their own. */
export interface VerifyDependencies {
  readonly connect: typeof connect;
  readonly loadModels: typeof loadModels;
}

export const makeVerifyCommand = ({ connect, loadModels }: VerifyDependencies): Command => ({
  name: 'db verify',
  summary:
    'Compare the models with the database, and name each rule that nothing beneath holds, with the SQL that would. Ends with status 1 unless all is beneath.',
  options: [
    {
      flags: '--models <glob>',
      description: 'the files that declare the models; models, src/models or dist/models if not given',
    },
    { flags: '--json', description: 'print the findings as JSON' },
  ],
  async run({ options }, context) {
    const pattern = typeof options.models === 'string' ? options.models : undefined;
    const models = await loadModels(context.workingFolder, pattern);
    const url = context.env.DATABASE_URL || undefined;
    const database = await connect({ ...(url && { url }), poolSize: 1, onProgress: context.complain });
    try {
      const findings = await database.findings();
      if (options.json === true) context.print(JSON.stringify(findings, null, 2));
      else for (const line of describeFindings(findings, models)) context.print(line);
      return findings.some(({ kind }) => kind !== 'framework') ? 1 : 0;
    } finally {
      await database.close();
    }
  },
});

const HEADINGS: Readonly<Record<Finding['kind'], string>> = {
  mismatch: 'Not as declared:',
  loose: 'Held for writes through the framework only:',
  framework: 'Held by the framework alone, since no constraint can say it:',
};

export function describeFindings(findings: readonly Finding[], models: number): string[] {
  const counted = `${models} ${models === 1 ? 'model' : 'models'}`;
  const isBeneath = findings.every(({ kind }) => kind === 'framework');
  const sections = (Object.keys(HEADINGS) as Finding['kind'][]).map((kind) => ({
    heading: HEADINGS[kind],
    lines: findings.filter((finding) => finding.kind === kind).map((finding) => `  ${sentenceOf(finding)}`),
  }));
  const sql = [...new Set(findings.flatMap((finding) => finding.sql ?? []))];
  if (sql.length > 0) {
    sections.push({
      heading: 'What would put them beneath, for `bellwether migrate new <name> --sql`:',
      lines: sql.map((statement) => `  ${statement}`),
    });
  }
  return [
    ...sections.filter(({ lines }) => lines.length > 0).flatMap(({ heading, lines }) => [heading, ...lines, '']),
    isBeneath ? `${counted}: the database is as they declare it.` : `${counted}: see above.`,
  ];
}

/** The command over a real database. Last in the file: the functions above must be there first. */
export const verifyCommand = makeVerifyCommand({ connect, loadModels });
