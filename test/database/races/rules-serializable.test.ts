import { raceRules } from './rules-suite';

raceRules('serializable');
