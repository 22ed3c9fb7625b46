import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createJiti } from 'jiti';

/** Of TypeScript's compiler, what is used here. */
interface Compiler {
  transpileModule(
    source: string,
    options: {
      readonly fileName: string;
      readonly compilerOptions: Readonly<Record<string, unknown>>;
      readonly reportDiagnostics: boolean;
    },
  ): { readonly outputText: string; readonly diagnostics?: readonly unknown[] };
  readonly ModuleKind: { readonly CommonJS: number };
  readonly ScriptTarget: { readonly ES2022: number };
}

/**
 * Loads the module at `path`, and what it imports, TypeScript too. Their `bellwether` is the copy that is running, even
 * where the name resolves to another one or to none.
 *
 * TypeScript with decorators is compiled by the project's own compiler, where there is one: the loader's cannot do
 * those of fields that are only declared, as models have.
 */
export function moduleLoader(path: string): ReturnType<typeof createJiti> {
  // In no cache on disk: it may lie in a folder that other users can write to.
  const options = { fsCache: false, virtualModules: { bellwether: framework() } };
  const plain = createJiti(path, options);
  return createJiti(path, {
    ...options,
    transform: (module) => {
      const isDecorated = module.ts === true && /^\s*@[a-z]/im.test(module.source);
      const code = isDecorated ? compiled(module.source, module.filename ?? path) : undefined;
      return { code: code ?? plain.transform(module) };
    },
  });
}

/** Found by path, and late, for it stands above this folder. */
function framework(): object {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  return require(join(__dirname, '..', 'index')) as object;
}

function compilerFor(path: string): Compiler | undefined {
  for (const from of [path, __filename]) {
    try {
      const found = createRequire(from)('typescript') as Partial<Compiler>;
      if (typeof found.transpileModule === 'function') return found as Compiler;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  return undefined;
}

/** @returns undefined where there is no compiler, or the text is not TypeScript: the loader says so better */
function compiled(source: string, fileName: string): string | undefined {
  const compiler = compilerFor(fileName);
  if (!compiler) return undefined;
  const compilerOptions = {
    module: compiler.ModuleKind.CommonJS,
    target: compiler.ScriptTarget.ES2022,
    esModuleInterop: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    useDefineForClassFields: false,
    inlineSourceMap: true,
  };
  const output = compiler.transpileModule(source, { fileName, compilerOptions, reportDiagnostics: true });
  return output.diagnostics?.length === 0 ? output.outputText : undefined;
}
