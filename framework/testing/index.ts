export { createTestDatabase, type TestDatabase, type TestSchema, type TestTemplate } from './test-database';
export { countRoundTrips, type RoundTripCounter } from './round-trips';
