import { runApp } from '../web/main';
import { bankApp } from './app';
import { openBank } from './database';
import { seedIfEmpty } from './seed';

runApp({ name: 'bank', title: 'The bank', port: 3002, open: openBank, seed: seedIfEmpty, serve: bankApp });
