import type { Place } from './folders';
import { supervise, type BootMessage } from './supervisor';

/*
 * The supervisor's main program: `launch` runs this file in a process of its own. Nobody imports it.
 */
const place = JSON.parse(process.argv.at(-1) ?? '') as Place;

/** The launcher may be gone (Ctrl-C while the cluster is made); failures then go to supervisor.log. */
function report(message: BootMessage): void {
  if (!process.connected) {
    if (message.kind === 'failed') console.error(new Date().toISOString(), message.error);
    return;
  }
  process.send?.(message, undefined, undefined, () => {
    if (message.kind !== 'progress' && process.connected) process.disconnect();
  });
}

process.title = `bellwether: embedded PostgreSQL (${place.purpose})`;
void supervise(place, report);
