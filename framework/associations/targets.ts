import type { Condition } from '../query/conditions';
import { and, equals, or } from '../query/conditions';
import type { Query } from '../query/query';
import type { Association } from './association';
import { joiningProperty } from './association';
import { recordModelOf } from './record-model';

/**
 * The records at the other end that belong together with these joining values, none where there are none; or with any.
 *
 * @param among a query over that model, to be narrowed to these
 */
export function targetsOf(
  association: Association,
  values: readonly unknown[] | 'any',
  among: Query<object> = recordModelOf(association.target).query(),
): Query<object> {
  const condition = values === 'any' ? and(isOfType(association)) : isJoined(association, values);
  return among.where(() => condition);
}

/** That a record at the other end belongs together with one of these joining values. */
export function isJoined(association: Association, values: readonly unknown[]): Condition {
  if (values.length === 0) return or([]);
  const property = joiningProperty(association);
  const [first, ...others] = values;
  const isMeant: Condition =
    others.length > 0 ? { kind: 'compare', property, operator: 'in', value: values } : equals(property, first);
  const types = isOfType(association);
  return types.length === 0 ? isMeant : and([isMeant, ...types]);
}

function isOfType({ kindOf, typeKey }: Association): Condition[] {
  return kindOf === 'belongsTo' || !typeKey ? [] : [equals(typeKey.column.property, typeKey.value)];
}
