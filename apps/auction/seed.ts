import { transactional } from 'bellwether';
import { User } from '../../models/auction/user';
import { hashPassword } from '../web/passwords';
import { bid } from './bidding';
import { offer } from './offering';
import type { Offer } from './offering';
import { addFunds, register, watch } from './people';
import { nameCategoriesAndRegions, SEED_PASSWORD } from './seed-words';
import type { CATEGORIES } from './seed-words';

export { seed } from './bulk-seed';

const PEOPLE = ['ada', 'blaise', 'charles', 'dorothea', 'emmy', 'felix'] as const;
type Person = (typeof PEOPLE)[number];

type Thing = Omit<Offer, 'sellerId' | 'categoryId' | 'endsAt'> & {
  readonly by: Person;
  readonly category: (typeof CATEGORIES)[number];
  readonly minutes: number;
  /** Who has bid how much, in order. */
  readonly bids: readonly (readonly [Person, bigint])[];
};

const THINGS: readonly Thing[] = [
  {
    by: 'ada',
    category: 'Instruments',
    name: 'A wether’s bell, of brass',
    description: 'It led a flock over the downs for eleven years. Clear tone, one dent.',
    startPrice: 1_500n,
    bidStep: 100n,
    minutes: 3,
    bids: [
      ['blaise', 1_500n],
      ['emmy', 1_800n],
      ['blaise', 2_100n],
    ],
  },
  {
    by: 'blaise',
    category: 'Instruments',
    name: 'Adding machine with eight wheels',
    description: 'Carries mechanically. The ninth wheel was never found.',
    startPrice: 20_000n,
    reservePrice: 45_000n,
    bidStep: 1_000n,
    minutes: 8,
    bids: [
      ['charles', 20_000n],
      ['ada', 26_000n],
    ],
  },
  {
    by: 'charles',
    category: 'Books',
    name: 'Tables of logarithms, with errata',
    description: 'The errata are longer than the tables.',
    startPrice: 800n,
    bidStep: 50n,
    buyNowPrice: 2_400n,
    quantity: 12,
    minutes: 25,
    bids: [['dorothea', 800n]],
  },
  {
    by: 'dorothea',
    category: 'Clocks and watches',
    name: 'Marine chronometer',
    description: 'Loses a second a week, and knows where it is meanwhile.',
    startPrice: 60_000n,
    bidStep: 2_500n,
    minutes: 45,
    bids: [
      ['felix', 60_000n],
      ['emmy', 65_000n],
    ],
  },
  {
    by: 'emmy',
    category: 'Maps',
    name: 'Map of the Islands, hand-coloured',
    description: 'One island more than there is.',
    startPrice: 4_000n,
    bidStep: 250n,
    buyNowPrice: 9_900n,
    minutes: 90,
    bids: [],
  },
  {
    by: 'felix',
    category: 'Odds and ends',
    name: 'Call bell for a reception desk',
    description: 'Ding.',
    startPrice: 500n,
    bidStep: 50n,
    buyNowPrice: 1_200n,
    quantity: 40,
    minutes: 180,
    bids: [],
  },
];

/** Fills an empty auction with a small world, whose auctions end in the next minutes and hours. */
export async function seedIfEmpty(): Promise<boolean> {
  if (await User.where({ isDrill: false }).exists()) return false;
  const passwordHash = await hashPassword(SEED_PASSWORD); // before the transaction: it takes its time
  return fill(passwordHash);
}

/** Serializable, so that of two processes that both find it empty, one fills it. */
const fill = transactional({ isolation: 'serializable', name: 'seed' }, async (passwordHash: string) => {
  if (await User.where({ isDrill: false }).exists()) return false;
  const [categories, regions] = await nameCategoriesAndRegions();
  const people = new Map<Person, User>();
  for (const [n, nickname] of PEOPLE.entries()) {
    const regionId = regions[n % regions.length]!.id;
    const user = await register({ nickname, email: `${nickname}@example.org`, passwordHash, regionId });
    await addFunds({ userId: user.id, amount: 250_000n });
    people.set(nickname, user);
  }
  const idOf = (person: Person) => people.get(person)!.id; // all have just been made
  for (const { by, category, minutes, bids, ...thing } of THINGS) {
    const item = await offer({
      ...thing,
      sellerId: idOf(by),
      categoryId: categories.find(({ name }) => name === category)!.id,
      endsAt: new Date(Date.now() + minutes * 60_000),
    });
    for (const [person, amount] of bids) await bid({ itemId: item.id, bidderId: idOf(person), amount });
    await watch({ itemId: item.id, userId: idOf(by === 'felix' ? 'ada' : 'felix') });
  }
  return true;
});
