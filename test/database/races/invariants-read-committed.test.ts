import { raceInvariants } from './invariants-suite';

raceInvariants(['read committed']);
