import { runApp } from '../web/main';
import { auctionApp } from './app';
import { openAuction } from './database';
import { seedIfEmpty } from './seed';

runApp({
  name: 'auction',
  title: 'The auction',
  port: 3004,
  open: openAuction,
  seed: seedIfEmpty,
  serve: auctionApp,
});
