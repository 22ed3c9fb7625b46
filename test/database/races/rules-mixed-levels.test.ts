import { raceRules } from './rules-suite';

raceRules('serializable', 'read committed', 'repeatable read');
