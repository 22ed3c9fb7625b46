import { EVERYDAY_NAMES, engineCalling, ENGINES, FORBIDDEN, ISOLATION_LEVELS, isolationTable } from 'bellwether';
import { verdictOn, weakestLevelForbidding } from 'bellwether';
import type { Anomaly, IsolationLevel } from 'bellwether';

test('the table prints as Markdown', () => {
  expect(isolationTable(['PostgreSQL', 'MySQL/InnoDB', 'MariaDB/InnoDB', 'Oracle'])).toBe(
    [
      '| engine | level | actually | G0 | G1a | G1b | G1c | OTV | PMP | P4 | G-single | G2-item | G2 |',
      '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |',
      '| PostgreSQL | read committed (default) | monotonic atomic view | ✓ | ✓ | ✓ | ✓ | ✓ | — | — | — | — | — |',
      '| PostgreSQL | repeatable read | snapshot isolation | ✓ | ✓ | ✓ | ✓ | ✓ | ✓ | ✓ | ✓ | — | — |',
      '| PostgreSQL | serializable | serializable | ✓ | ✓ | ✓ | ✓ | ✓ | ✓ | ✓ | ✓ | ✓ | ✓ |',
      '| MySQL/InnoDB | read uncommitted | read uncommitted | ✓ | — | — | — | — | — | — | — | — | — |',
      '| MySQL/InnoDB | read committed | monotonic atomic view | ✓ | ✓ | ✓ | ✓ | ✓ | — | — | — | — | — |',
      '| MySQL/InnoDB | repeatable read (default) | monotonic atomic view | ✓ | ✓ | ✓ | ✓ | ✓ | some | — | some | — | — |',
      '| MySQL/InnoDB | serializable | serializable | ✓ | ✓ | ✓ | ✓ | ✓ | ✓ | ✓ | ✓ | ✓ | ✓ |',
      '| MariaDB/InnoDB | repeatable read, innodb_snapshot_isolation=OFF | not well defined | ? | ? | ? | ? | ? | ? | — | ? | ? | ? |',
      '| MariaDB/InnoDB | repeatable read, innodb_snapshot_isolation=ON (default) | meant as snapshot isolation | ? | ? | ? | ? | ? | ? | some | ? | ? | ? |',
      '| Oracle | read committed (default) | monotonic atomic view | ✓ | ✓ | ✓ | ✓ | ✓ | — | — | — | — | — |',
      '| Oracle | serializable | snapshot isolation | ✓ | ✓ | ✓ | ✓ | ✓ | ✓ | ✓ | ✓ | — | some |',
    ].join('\n'),
  );
  expect(isolationTable().split('\n')).toHaveLength(2 + Object.values(ENGINES).flatMap(Object.keys).length);
});

test('each level forbids all that the weaker ones do, and serializable everything', () => {
  for (const [index, level] of ISOLATION_LEVELS.entries()) {
    const weaker = ISOLATION_LEVELS.slice(0, index).flatMap((one) => FORBIDDEN[one]);
    expect(FORBIDDEN[level]).toEqual(expect.arrayContaining(weaker));
    expect(FORBIDDEN[level].length).toBeGreaterThan(new Set(weaker).size);
  }
  expect(FORBIDDEN.serializable).toEqual(expect.arrayContaining(Object.keys(EVERYDAY_NAMES)));
});

test.each<[Anomaly, IsolationLevel]>([
  ['dirty write', 'read committed'],
  ['dirty read', 'read committed'],
  ['aborted read', 'read committed'],
  ['OTV', 'read committed'],
  ['non-repeatable read', 'repeatable read'],
  ['lost update', 'repeatable read'],
  ['read skew', 'repeatable read'],
  ['phantom', 'repeatable read'],
  ['P4', 'repeatable read'],
  ['write skew', 'serializable'],
  ['G2-item', 'serializable'],
  ['G2', 'serializable'],
])('%s is first forbidden at %s, by the engines that speak the protocol', (anomaly, level) => {
  expect(weakestLevelForbidding([anomaly])).toBe(level);
  expect(weakestLevelForbidding([anomaly], 'CockroachDB')).toBe(level);
  expect(weakestLevelForbidding(['dirty write', anomaly], 'YugabyteDB')).toBe(level);
  expect(weakestLevelForbidding([anomaly], 'unknown')).toBe('serializable');
});

test('of a name for several phenomena, forbidding some is not enough', () => {
  const { 'repeatable read': locking } = ENGINES['SQL Server'];
  expect(verdictOn('G2-item', locking)).toBe('forbidden');
  expect(verdictOn('write skew', locking)).toBe('partly');
  expect(verdictOn('read skew', locking)).toBe('partly');
  expect(verdictOn('phantom', locking)).toBe('possible');
  expect(verdictOn('phantom', ENGINES['MariaDB/InnoDB']['repeatable read, innodb_snapshot_isolation=ON'])).toBe(
    'unknown',
  );
});

test.each([
  ['PostgreSQL 18.4 on x86_64-pc-linux-gnu, compiled by gcc (Debian 12.2.0-14) 12.2.0, 64-bit', 'PostgreSQL'],
  ['PostgreSQL 15.18 (Debian 15.18-0+deb12u1) on aarch64-linux-gnu, compiled by gcc 12.2.0, 64-bit', 'PostgreSQL'],
  ['PostgreSQL 16.1, compiled by Visual C++ build 1937, 64-bit', 'PostgreSQL'],
  ['PostgreSQL 15.2-YB-2.25.1.0-b0 on x86_64-pc-linux-gnu, compiled by clang version 17, 64-bit', 'YugabyteDB'],
  ['CockroachDB CCL v24.2.0 (x86_64-pc-linux-gnu, built 2024/08/01 00:00:00, go1.22.5)', 'CockroachDB'],
  ['PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2, Redshift 1.0.12103', 'unknown'],
  ['PostgreSQL 12.3, compiled by Visual C++ build 1914, 64-bit, QuestDB', 'unknown'],
  ['', 'unknown'],
])('the server that says "%s" is %s', (version, engine) => {
  expect(engineCalling(version)).toBe(engine);
});
