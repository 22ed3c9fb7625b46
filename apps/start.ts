import { existsSync } from 'node:fs';
import { once } from 'node:events';
import type { RequestListener, Server } from 'node:http';
import { join } from 'node:path';
import { connect } from 'bellwether';
import { freePort } from './bell';
import { BELL, SAMPLES } from './catalogue';
import type { Program, Sample } from './catalogue';
import { frontPage } from './front-page';
import type { FrontPage } from './front-page';
import { listen, portFrom } from './ports';
import { Supervised } from './supervisor';
import { close, runProcess } from './web/main';

const FRONT_PORT = 3000;
const say = (line: string) => void process.stdout.write(`${line}\n`);
const complain = (line: string) => void process.stderr.write(`${line}\n`);

/** All sample applications, each a process of its own, with the bell and a page that leads to them; or one of them. */
async function start(samples: readonly Sample[], isAll: boolean, closing: AbortSignal): Promise<void> {
  // Before anybody else: what is wrong with the address is told once, and the embedded server is there for all.
  const db = await connect({ applicationName: 'start', poolSize: 2, onProgress: complain });
  const running: Supervised[] = [];
  const states = () => running.map(({ state }) => state);
  try {
    const front = isAll ? await openFront({ db, closing, samples, states }) : undefined;
    const bell = await freePort(portFrom('BELL_PORT', BELL.port!));
    running.push(supervise(BELL, { PORT: String(bell) }));
    for (const program of samples.flatMap(({ programs }) => programs)) {
      const port = program.port && portOf(program, isAll);
      running.push(supervise(program, { ...(port && { PORT: String(port) }), BELL_URL: `http://127.0.0.1:${bell}` }));
    }
    if (!closing.aborted) await once(closing, 'abort');
    say('\nClosing.');
    if (front) await close(front);
  } finally {
    await Promise.all(running.map((one) => one.stop()));
    await db.close();
  }
}

async function openFront(options: FrontPage): Promise<Server> {
  const host = process.env.HOST || '127.0.0.1';
  const preferred = portFrom('PORT', FRONT_PORT);
  const { server, port } = await listen(frontPage(options) as RequestListener, { host, preferred });
  if (port !== preferred) say(`Port ${preferred} is taken; using ${port}.`);
  say(`Everything is at http://${host === '127.0.0.1' ? 'localhost' : host}:${port} (Ctrl-C ends it).`);
  return server;
}

/** One application alone serves at PORT, like any program. */
const portOf = ({ portVariable, port }: Program, isAll: boolean): number =>
  portFrom(isAll ? portVariable! : 'PORT', port!);

function supervise({ name, script }: Program, own: NodeJS.ProcessEnv): Supervised {
  const { PORT: _ofThis, ...inherited } = process.env;
  return new Supervised({ name, script: scriptOf(script), env: { ...inherited, ...own } }, say);
}

const scriptOf = (script: string): string => join(__dirname, `${script}.js`);

const wanted = process.argv[2];
const built = SAMPLES.filter(({ programs }) => programs.every(({ script }) => existsSync(scriptOf(script))));
const chosen = wanted === undefined ? built : built.filter(({ name }) => name === wanted);
if (chosen.length === 0) {
  const names = built.map(({ name }) => name).join(', ');
  complain(`npm start: there is no sample application "${wanted}". There are: ${names}.`);
  process.exitCode = 2;
} else {
  runProcess('npm start', (closing) => start(chosen, wanted === undefined, closing));
}
