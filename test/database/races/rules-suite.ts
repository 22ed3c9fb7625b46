import type { IsolationLevel } from 'bellwether';
import { setUp } from '../transaction/support';
import type { Way } from './rules';
import { ATTACKS, race, SCHEMA } from './rules';

const CALLERS = 64;
const POOLS: readonly (readonly [number, Way])[] = [
  [4, 'alone'],
  [16, 'after a write'],
  [64, 'after a read'],
];

/** Races every rule, its callers by turns at each of the levels. */
export function raceRules(...levels: readonly [IsolationLevel, ...IsolationLevel[]]): void {
  const { database, open } = setUp(SCHEMA);

  describe.each(POOLS)('%d connections, %s', (poolSize, way) => {
    test.each(ATTACKS.map((attack) => [attack.rule, attack] as const))('%s', async (_rule, attack) => {
      const db = await open({ isolation: levels[0], poolSize });
      await database().pool.query(attack.reset);
      const callers = Array.from({ length: CALLERS }, (_, caller) => caller);
      const tally = await race(db, attack, callers, way, levels);
      const legal = attack.legal(CALLERS);
      expect(tally).toEqual({ accepted: legal, refused: { [attack.message]: CALLERS - legal }, other: [] });
      expect((await database().pool.query(attack.violations)).rows).toEqual([]);
      await db.close();
    });
  });
}
