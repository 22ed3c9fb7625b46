import { raceInvariants } from './invariants-suite';

raceInvariants(['repeatable read']);
