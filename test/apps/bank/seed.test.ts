import { createTestDatabase } from 'bellwether/testing';
import { Customer } from '../../../models/bank/customer';
import { audit } from '../../../apps/bank/audit';
import { openBank } from '../../../apps/bank/database';
import { seed, seedIfEmpty } from '../../../apps/bank/seed';
import { allHold } from '../../../apps/web/findings';

test('customers by the thousand are booked like any other', async () => {
  const database = await createTestDatabase();
  const db = await openBank({ url: database.url });
  try {
    await seedIfEmpty();
    const heard: [number, number][] = [];
    await seed({ users: 1_200, onProgress: (done, total) => heard.push([done, total]) });
    expect(heard).toEqual([
      [1_000, 1_200],
      [1_200, 1_200],
    ]);
    expect(await Customer.count()).toBe(1_203);
    const findings = await audit(db);
    expect(findings.filter(({ violations }) => violations > 0)).toEqual([]);
    expect(allHold(findings)).toBe(true);
  } finally {
    await db.close();
    await database.drop();
  }
});
