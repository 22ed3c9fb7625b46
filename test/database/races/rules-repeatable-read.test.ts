import { raceRules } from './rules-suite';

raceRules('repeatable read');
