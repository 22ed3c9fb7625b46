import { Category } from '../../models/auction/category';
import { Region } from '../../models/auction/region';

export const REGIONS = ['Lowlands', 'Highlands', 'The Coast', 'The Islands', 'The City'] as const;
export const CATEGORIES = ['Antiques', 'Books', 'Clocks and watches', 'Instruments', 'Maps', 'Odds and ends'] as const;
/** Of everybody in the small world. */
export const SEED_PASSWORD = 'correct horse battery staple';

/** Of those that there are, none is made again. */
export async function nameCategoriesAndRegions(): Promise<[Category[], Region[]]> {
  for (const name of CATEGORIES) await Category.findOrCreateBy({ name });
  for (const name of REGIONS) await Region.findOrCreateBy({ name });
  return [await Category.order('id'), await Region.order('id')];
}
