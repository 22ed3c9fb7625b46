import { createRequire } from 'node:module';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { createJiti } from 'jiti';
import { modelRegistry } from '../schema/registry';
import { ModelFilesError } from './errors';

const CODE = /\.[cm]?[tj]s$/;
const DECLARATIONS = /\.d\.[cm]?ts$/;

/** Where models are looked for when nobody says: the first of these that is there. */
const USUAL = ['models/**/*.{ts,js}', 'src/models/**/*.{ts,js}', 'dist/models/**/*.js'];

/**
 * Loads every file of code that the pattern matches, so that the models in them are declared.
 *
 * @param pattern a file, a folder, or a glob with `*`, `**` and `{a,b}`; by default `models`, `src/models` or `dist/models`
 * @returns how many models are declared then
 * @throws ModelFilesError when no file matches, one cannot be loaded, or none declares a model
 */
export async function loadModels(folder: string, pattern?: string): Promise<number> {
  const tried = pattern === undefined ? USUAL : [pattern];
  const files = tried.map((each) => filesMatching(folder, each)).find((found) => found.length > 0);
  if (!files) {
    throw new ModelFilesError({
      what: `No file of code matches ${tried.join(' or ')} in ${folder}.`,
      remedy: "Say where the models are, as in --models 'app/models/**/*.ts'.",
      details: { folder, pattern },
    });
  }
  const load = loaderIn(folder);
  for (const file of files) await load(file);
  const { length } = modelRegistry.all();
  if (length > 0) return length;
  throw new ModelFilesError({
    what: `None of the ${files.length} files that match ${pattern ?? tried.join(' or ')} declares a model with @Table.`,
    remedy: 'Correct the pattern; the models must import bellwether by its name.',
    details: { folder, pattern },
  });
}

function loaderIn(folder: string): (file: string) => Promise<void> {
  const transform = compilerOf(folder);
  const jiti = createJiti(join(folder, 'models'), {
    ...(transform && { transform }),
    fsCache: false, // it may lie in a folder that other users can write to
    virtualModules: { bellwether: framework() }, // the copy that is running: models declare themselves to it
  });
  return async (file) => {
    try {
      await jiti.import(file);
    } catch (error) {
      throw new ModelFilesError({
        what: `${relative(folder, file)} cannot be loaded: ${(error as Error | undefined)?.message ?? String(error)}`,
        remedy: 'Correct the file, or build the project and point --models at the JavaScript.',
        details: { file },
        cause: error,
      });
    }
  };
}

interface SourceFile {
  readonly source: string;
  readonly filename?: string;
}

/** What is used of TypeScript. */
interface Compiler {
  readonly transpileModule?: (source: string, options: object) => { readonly outputText: string };
  readonly ModuleKind: { readonly CommonJS: unknown };
  readonly ScriptTarget: { readonly ES2022: unknown };
}

/**
 * The project's own TypeScript: the loader's compiler knows no decorators on `declare` fields, and not their types.
 * Undefined where there is none: JavaScript can be loaded without.
 */
function compilerOf(folder: string): ((file: SourceFile) => { code: string }) | undefined {
  const require = createRequire(join(folder, 'models'));
  let compiler: Compiler;
  try {
    compiler = require('typescript') as Compiler;
  } catch (error) {
    if ((error as { code?: string }).code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
  const { transpileModule, ModuleKind, ScriptTarget } = compiler;
  if (!transpileModule) return undefined; // TypeScript 7 has no such interface
  const compilerOptions = {
    module: ModuleKind.CommonJS,
    target: ScriptTarget.ES2022,
    esModuleInterop: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    useDefineForClassFields: false,
    inlineSourceMap: true,
  };
  return ({ source, filename = '' }) => ({
    code: transpileModule(source, { fileName: filename, compilerOptions }).outputText,
  });
}

/** Found by path, and late, for it stands above this folder. */
function framework(): object {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  return require(join(__dirname, '..', 'index')) as object;
}

/** Files of code, sorted by path. */
export function filesMatching(folder: string, pattern: string): string[] {
  const path = resolve(folder, pattern);
  if (existsSync(path)) return statSync(path).isDirectory() ? filesMatching(folder, join(pattern, '**')) : [path];
  const magic = pattern.search(/[*{]/);
  if (magic < 0) return [];
  const base = resolve(folder, pattern.slice(0, pattern.lastIndexOf('/', magic) + 1));
  if (!existsSync(base)) return [];
  const isMeant = globExpression(resolve(folder).split(sep).join('/'), pattern);
  return readdirSync(base, { recursive: true, encoding: 'utf8' })
    .map((name) => join(base, name))
    .filter((file) => !file.includes(`${sep}node_modules${sep}`) && isMeant.test(file.split(sep).join('/')))
    .filter((file) => CODE.test(file) && !DECLARATIONS.test(file))
    .sort();
}

function globExpression(folder: string, pattern: string): RegExp {
  const whole = pattern.startsWith('/') ? pattern : `${folder}/${pattern.replace(/^\.\//, '')}`;
  const source = whole
    .replace(/[.+^$()|[\]\\]/g, '\\$&')
    .replace(/\*\*\/?|\*|\{([^}]*)\}/g, (glob: string, choices?: string) => {
      if (choices !== undefined) return `(?:${choices.split(',').join('|')})`;
      if (glob === '*') return '[^/]*';
      return glob === '**' ? '.*' : '(?:.*/)?';
    });
  return new RegExp(`^${source}$`);
}
