import type { ModelSchema } from '../schema/model-schema';
import type { Association } from './association';
import { associationsOf } from './association';
import type { PolymorphicParent } from './polymorphic';
import { polymorphicParentsOf } from './polymorphic';
import type { ThroughAssociation } from './through';
import { throughsOf } from './through';

export type AnyAssociation = Association | PolymorphicParent | ThroughAssociation;

/** Every association of a model, by property. */
export function allAssociationsOf(schema: ModelSchema): ReadonlyMap<string, AnyAssociation> {
  return new Map<string, AnyAssociation>([
    ...associationsOf(schema),
    ...polymorphicParentsOf(schema),
    ...throughsOf(schema),
  ]);
}

/** One association of a model. */
export function associationOf(schema: ModelSchema, property: string): AnyAssociation | undefined {
  return (
    associationsOf(schema).get(property) ??
    polymorphicParentsOf(schema).get(property) ??
    throughsOf(schema).get(property)
  );
}
