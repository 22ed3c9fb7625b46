import { InvalidQueryError } from '../query/errors';
import type { Inclusion } from '../query/included';
import { Query } from '../query/query';
import type { ModelSchema } from '../schema/model-schema';
import type { AnyAssociation } from './any';
import { recordModelOf } from './record-model';

/**
 * The records at the other end of an association that are wanted.
 *
 * @throws InvalidQueryError when that cannot be included
 */
export function refined(
  { owner, property, kindOf }: Pick<AnyAssociation, 'owner' | 'property' | 'kindOf'>,
  target: ModelSchema,
  refine: Inclusion['refine'],
): Query<object> {
  const all = recordModelOf(target).query();
  if (!refine) return all;
  const wanted = refine(all as never);
  const complaint = complaintAbout(wanted, target, kindOf === 'belongsTo' || kindOf === 'polymorphic');
  if (complaint === undefined) return wanted as Query<object>;
  throw new InvalidQueryError({
    what: `${owner.name}.include({ ${property} }): the function ${complaint}.`,
    remedy: 'Give back the query that it is given, refined: (all) => all.where(…).order(…).limit(…).include(…).',
    details: { model: owner.name, association: property },
  });
}

function complaintAbout(wanted: unknown, target: ModelSchema, isOwning: boolean): string | undefined {
  if (!(wanted instanceof Query)) return 'gives no query';
  const { schema, condition, order, limit, offset, fragments, lock } = wanted.plan;
  if (schema !== target) return `gives a query over ${schema.name} instead of ${target.name}`;
  if (lock) return 'locks, which an association that is included cannot be';
  const isNarrowed = condition !== undefined || limit !== undefined || offset !== undefined || fragments.length > 0;
  const isOther = isOwning && (isNarrowed || order.length > 0);
  return isOther ? 'narrows or sorts the one record that there is; it can include only' : undefined;
}
