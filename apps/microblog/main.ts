import { runApp } from '../web/main';
import { microblogApp } from './app';
import { openMicroblog, replicaUrls } from './database';
import { seedIfEmpty } from './seed';

if (require.main === module) {
  runApp({
    ...{ name: 'microblog', title: 'The microblog', port: 3003 },
    ...{ open: openMicroblog, seed: seedIfEmpty },
    serve: (db, closing) => microblogApp(db, closing, { isReplicated: replicaUrls().length > 0 }),
  });
}
