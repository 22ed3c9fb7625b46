import { once } from 'node:events';
import { startBell } from './bell';
import { BELL } from './catalogue';
import { portFrom } from './ports';
import { runProcess } from './web/main';

const say = (line: string) => void process.stdout.write(`${line}\n`);

// BellBot knows nothing of who has started it; this process does, and takes it along.
runProcess('bell', async (closing) => {
  const bell = await startBell(portFrom('PORT', BELL.port!), say);
  process.send?.({ kind: 'open', url: bell.url });
  await Promise.race([closing.aborted || once(closing, 'abort'), bell.ended]);
  await bell.stop();
  if (!closing.aborted) throw new Error('BellBot has ended.');
});
