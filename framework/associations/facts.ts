import type { ModelClass } from '../schema/facts';

/** What becomes of the records on the other side when this one is destroyed. */
export const DEPENDENTS = ['destroy', 'delete', 'nullify', 'restrict'] as const;
export type Dependent = (typeof DEPENDENTS)[number];

export interface AssociationFact {
  readonly property: string;
  readonly kindOf: 'belongsTo' | 'hasMany' | 'hasOne';
  readonly target: () => ModelClass;
  /** The attribute that holds the key: on this side for belongsTo, else on the other. */
  readonly foreignKey: string | undefined;
  readonly isOptional: boolean;
  readonly dependent: Dependent | undefined;
  /** Of those that hold no key: the polymorphic belongsTo on the other side that does. */
  readonly as: string | undefined;
}

/** The models that a polymorphic belongsTo may refer to: by their class names, or by the names given. */
export type ModelChoice = readonly ModelClass[] | Readonly<Record<string, ModelClass>>;

/** A belongsTo whose parent is a record of one of several models. */
export interface PolymorphicFact {
  readonly property: string;
  readonly targets: () => ModelChoice;
  /** The attribute that holds the key. */
  readonly foreignKey: string;
  /** The attribute that says of which model it is. */
  readonly foreignType: string;
  readonly isOptional: boolean;
}

/** What stands in the type column for each model. */
export function namedTargets({ targets }: PolymorphicFact): readonly (readonly [name: string, model: ModelClass])[] {
  const choice = targets();
  return isList(choice) ? choice.map((model) => [model?.name, model] as const) : Object.entries(choice);
}

function isList(choice: ModelChoice): choice is readonly ModelClass[] {
  return Array.isArray(choice);
}

declare module '../schema/facts' {
  interface FactSlots {
    association: AssociationFact;
    polymorphic: PolymorphicFact;
  }
}
