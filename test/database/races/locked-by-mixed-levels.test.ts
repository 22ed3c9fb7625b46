import { raceAggregates } from './locked-by-suite';

raceAggregates(['read committed', 'repeatable read', 'serializable']);
