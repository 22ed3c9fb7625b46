import { raceAggregates } from './locked-by-suite';

raceAggregates(['read committed']);
