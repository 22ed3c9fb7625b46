import { raceInvariants } from './invariants-suite';

raceInvariants(['serializable']);
