import type { Condition } from '../query/conditions';
import { and, equals, or } from '../query/conditions';
import type { Query } from '../query/query';
import type { Association } from './association';
import { joiningProperty } from './association';
import { recordModelOf } from './record-model';

/** The records at the other end that belong together with these joining values; none where there are none. */
export function targetsOf(association: Association, values: readonly unknown[]): Query<object> {
  const { kindOf, target, typeKey } = association;
  const property = joiningProperty(association);
  const [first, ...others] = values;
  const isJoined: Condition =
    others.length > 0 ? { kind: 'compare', property, operator: 'in', value: values } : equals(property, first);
  const isOfType = kindOf === 'belongsTo' || !typeKey ? [] : [equals(typeKey.column.property, typeKey.value)];
  const condition = isOfType.length === 0 ? isJoined : and([isJoined, ...isOfType]);
  return recordModelOf(target)
    .query()
    .where(() => (values.length === 0 ? or([]) : condition));
}
