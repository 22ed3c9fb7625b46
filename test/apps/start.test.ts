import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createTestDatabase } from 'bellwether/testing';

/** What `npm start` runs once all is built, with a home of its own. */
test('npm start opens the bank and a bell that rings, and SIGTERM closes both', async () => {
  const database = await createTestDatabase();
  const home = mkdtempSync(join(tmpdir(), 'bellwether-start-'));
  const env = {
    ...process.env,
    DATABASE_URL: database.url,
    HOME: home,
    XDG_STATE_HOME: home,
    PORT: '24100',
    BELL_PORT: '24200',
  };
  const started = spawn(process.execPath, ['dist/apps/start.js'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: started.stdout });
  const urls: string[] = [];
  try {
    for await (const line of lines) {
      const url = /http:\/\/localhost:\d+/.exec(line)?.[0];
      if (url && urls.push(url) === 2) break;
    }
    const [bank, bell] = urls as [string, string];
    expect((await fetch(bank)).status).toBe(200);
    const rung = await fetch(`${bell}/ring`, { method: 'POST', headers: { Prefer: 'wait=20' } });
    expect(await rung.json()).toMatchObject({ ring: { status: 'rung' } });
    const ended = once(started, 'exit');
    started.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    await expect(fetch(`${bell}/health`)).rejects.toThrow();
  } finally {
    started.kill('SIGKILL');
    rmSync(home, { recursive: true, force: true });
    await database.drop();
  }
});
