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
}

declare module '../schema/facts' {
  interface FactSlots {
    association: AssociationFact;
  }
}
