import { raceAggregates } from './locked-by-suite';

raceAggregates(['serializable']);
