import { raceRules } from './rules-suite';

raceRules('read committed');
