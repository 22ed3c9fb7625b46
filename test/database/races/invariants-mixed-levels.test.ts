import { raceInvariants } from './invariants-suite';

raceInvariants(['read committed', 'repeatable read', 'serializable']);
