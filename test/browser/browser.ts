import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import type { Browser } from 'playwright-core';

/**
 * Starts the browser that comes with the packages: nothing is installed or downloaded. It is unpacked into the temporary
 * folder when it is needed for the first time, which takes two seconds, once for each user.
 */
export async function startBrowser(): Promise<Browser> {
  const folder = await unpack();
  const launch = (env: NodeJS.ProcessEnv) =>
    chromium.launch({
      executablePath: join(folder, 'chromium'),
      // The sandbox needs rights that neither root nor most containers have; the only page shown is our own.
      args: ['--headless=shell', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
      env,
    });
  try {
    return await launch(process.env);
  } catch {
    // A machine without the libraries of a desktop: those that come with the package stand in.
    return launch({ ...process.env, LD_LIBRARY_PATH: join(folder, 'al2023', 'lib') });
  }
}

/** @returns the folder with the browser in it, whole: several processes may ask at once */
async function unpack(): Promise<string> {
  const folder = join(tmpdir(), `bellwether-browser-${process.getuid?.() ?? 'user'}`);
  const isThere = () => existsSync(join(folder, 'chromium'));
  if (isThere()) return folder;
  const draft = mkdtempSync(`${folder}-`);
  // In a process of its own, for it learns from the environment where to unpack to, and that the libraries are wanted.
  const script = `import('@sparticuz/chromium').then((packed) => packed.default.executablePath())`;
  const env = { ...process.env, TMPDIR: draft, AWS_LAMBDA_JS_RUNTIME: 'nodejs20.x' };
  await promisify(execFile)(process.execPath, ['--eval', script], { env, cwd: __dirname });
  try {
    renameSync(draft, folder);
  } catch (error) {
    if (!isThere()) throw error;
    rmSync(draft, { recursive: true, force: true }); // another process was faster
  }
  return folder;
}
