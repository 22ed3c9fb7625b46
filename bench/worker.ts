// One implementation in a process of its own: promise hooks, garbage and compiled code of one do not slow down another.

import { SCENARIOS, runBatch } from './subject';
import type { Subject } from './subject';
import { Bellwether } from './subjects/bellwether';
import { KyselyAlone } from './subjects/kysely';
import { RawPg } from './subjects/raw-pg';

export const SUBJECTS = {
  pg: (url: string): Promise<Subject> => Promise.resolve(new RawPg(url)),
  kysely: (url: string): Promise<Subject> => Promise.resolve(new KyselyAlone(url)),
  bellwether: (url: string): Promise<Subject> => Bellwether.connect(url, 'serializable'),
  'bellwether, read committed': (url: string): Promise<Subject> => Bellwether.connect(url, 'read committed'),
} as const;

export type SubjectName = keyof typeof SUBJECTS;

export type Request =
  | { readonly kind: 'open'; readonly subject: SubjectName; readonly url: string }
  | { readonly kind: 'batch'; readonly scenario: number; readonly first: number; readonly count: number }
  | { readonly kind: 'answer'; readonly scenario: number }
  | { readonly kind: 'close' };

export type Reply = { readonly value: unknown } | { readonly error: string };

let subject: Subject | undefined;

async function answer(request: Request): Promise<unknown> {
  switch (request.kind) {
    case 'open':
      subject = await SUBJECTS[request.subject](request.url);
      return undefined;
    case 'batch':
      return runBatch(subject!, SCENARIOS[request.scenario]!, request.first, request.count);
    case 'answer':
      return JSON.stringify(subject!.plain(await SCENARIOS[request.scenario]!.run(subject!, 1)));
    case 'close':
      await subject?.close();
      process.disconnect();
      return undefined;
  }
}

const reply = (message: Reply) => process.connected && process.send!(message);

process.on('message', (request: Request) => {
  answer(request).then(
    (value) => reply({ value }),
    (error: unknown) => reply({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});
