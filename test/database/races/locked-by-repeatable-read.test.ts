import { raceAggregates } from './locked-by-suite';

raceAggregates(['repeatable read']);
