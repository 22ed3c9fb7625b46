import { getMetadataStorage } from 'class-validator';
import type { ModelSchema } from '../schema/model-schema';

/** The rules of class-validator on a model, by attribute. */
export function classValidatorRules(schema: ModelSchema): ReadonlyMap<string, readonly string[]> {
  const rules = new Map<string, readonly string[]>();
  for (const { propertyName, name, type } of getMetadataStorage().getTargetValidationMetadatas(
    schema.model,
    '',
    true,
    false,
  )) {
    rules.set(propertyName, [...(rules.get(propertyName) ?? []), name ?? type]);
  }
  return rules;
}
