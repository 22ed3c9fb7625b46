import { associationsOf } from '../associations/association';
import type { ModelSchema } from '../schema/model-schema';
import { keyRule } from '../validation/constraints';
import type { UniqueFact } from '../validation/facts';
import { NoUniqueRuleError } from './errors';

/**
 * The rule over exactly these attributes, in any order; an association stands for its key, and the primary key is a
 * rule by itself.
 *
 * @param fits whether a rule over these attributes will do
 * @throws NoUniqueRuleError without one
 */
export function ruleOver(
  schema: ModelSchema,
  names: readonly string[],
  fits: (rule: UniqueFact, attributes: readonly string[]) => boolean = () => true,
): UniqueFact {
  const given = names.map((name) => associationsOf(schema).get(name)?.foreignKey.property ?? name);
  const rule = [...schema.facts('unique'), keyRule(schema)].find((one) => {
    const attributes = attributesOf(one);
    const isOverThem = attributes.length === given.length && attributes.every((each) => given.includes(each));
    return isOverThem && !one.isDeferred && fits(one, attributes);
  });
  if (!rule) throw new NoUniqueRuleError(schema.name, given);
  return rule;
}

export function attributesOf({ property, scope }: UniqueFact): string[] {
  return [property, ...scope];
}

/** Whether the rule looks at its attribute without regard to case; not at those of its scope. */
export function isFolded(schema: ModelSchema, { property, isCaseInsensitive }: UniqueFact): boolean {
  return isCaseInsensitive || schema.column(property)!.type.name === 'citext';
}
