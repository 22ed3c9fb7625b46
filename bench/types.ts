// What the framework's types cost the compiler: 100 models with four queries each, in a folder of their own.

import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const MODELS = 100;
const project = join(__dirname, '..', '..');

const OPTIONS = {
  target: 'es2022',
  lib: ['es2023'],
  module: 'node16',
  moduleResolution: 'node16',
  strict: true,
  noEmit: true,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  useDefineForClassFields: false,
  esModuleInterop: true,
  skipLibCheck: true,
  typeRoots: [join(project, 'node_modules/@types')],
  types: ['node'],
  paths: { bellwether: [join(project, 'dist/framework/index.d.ts')] },
};

function model(index: number): string {
  const parent = index === 0 ? MODELS - 1 : index - 1;
  return `
@Table('table_${index}')
export class Model${index} extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare name${index}: string;
  @Column() declare amount: bigint;
  @Column('numeric', { nullable: true }) declare rate: Decimal | null;
  @Column() declare isActive: boolean;
  @Column() declare count: number;
  @Column('jsonb') declare settings: { theme: string };
  @CreatedAt() declare createdAt: Date;
  @UpdatedAt() declare updatedAt: Date;
  @BelongsTo(() => Model${parent}) declare parent: BelongsTo<Model${parent}>;
  @HasMany(() => Model${(index + 1) % MODELS}, { foreignKey: 'parentId' }) declare children: HasMany<Model${(index + 1) % MODELS}>;
}
`;
}

function queries(index: number): string {
  const name = `Model${index}`;
  return `
export async function queries${index}() {
  const found = await ${name}.where({ name${index}: 'x', isActive: true }).order('createdAt', 'desc').limit(10);
  const [first] = await ${name}.where('amount', '>', 1n).include('parent', 'children');
  const pairs = await ${name}.where((is) => is.or([is('count', '<', 3), is({ rate: null })])).pluck('id', 'name${index}');
  const made = await ${name}.create({ name${index}: 'x', amount: 1n, isActive: true, count: 1, settings: { theme: 'x' }, parent: 1n });
  return [found[0]?.rate, first?.parent.value.amount, first?.children.value.length, pairs[0]?.[1], made.settings.theme];
}
`;
}

/** @returns the compiler's own figures, by name */
async function compile(folder: string, source: string): Promise<ReadonlyMap<string, string>> {
  await writeFile(join(folder, 'main.ts'), source);
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: OPTIONS, files: ['main.ts'] }));
  const tsc = join(project, 'node_modules/typescript/bin/tsc');
  const { stdout } = await promisify(execFile)(process.execPath, [tsc, '-p', folder, '--extendedDiagnostics']).catch(
    (error: { stdout: string }) => {
      throw new Error(`The models do not compile:\n${error.stdout.split('\n').slice(0, 20).join('\n')}`);
    },
  );
  const figures = stdout.split('\n').map((line) => line.split(/:\s+/));
  return new Map(figures.map(([name = '', figure = '']) => [name, figure]));
}

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'bellwether-types-'));
  try {
    const indexes = Array.from({ length: MODELS }, (_, index) => index);
    const names = 'BelongsTo, Column, connect, CreatedAt, Decimal, HasMany, Id, Model, Table, UpdatedAt, type Database';
    const head = `import { ${names} } from 'bellwether';\nexport const db: Promise<Database> = connect();\n`;
    const models = head + indexes.map(model).join('');
    report('the framework alone', await compile(folder, head));
    report(`${MODELS} models`, await compile(folder, models));
    report(`${MODELS} models, 4 queries each`, await compile(folder, models + indexes.map(queries).join('')));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function report(what: string, figures: ReadonlyMap<string, string>): void {
  const shown = ['Instantiations', 'Types', 'Memory used', 'Check time', 'Total time'];
  const cells = shown.map((name) => `${name.toLowerCase()} ${figures.get(name)}`);
  process.stdout.write(`${what.padEnd(28)} ${cells.join(', ')}\n`);
}

void main();
