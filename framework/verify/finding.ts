/**
 * What is not as it could be between the models and the database.
 *
 * - `mismatch`  the database is not as the models declare it
 * - `loose`     a rule that writes through the framework keep, with nothing beneath it to stop other writes
 * - `framework` a rule that no constraint can express: the framework alone holds it
 */
export interface Finding {
  readonly kind: 'mismatch' | 'loose' | 'framework';
  readonly model: string;
  /** The attribute, association or method that declares the rule; undefined for the model as a whole. */
  readonly property: string | undefined;
  /** A sentence after the model and the property. */
  readonly what: string;
  /** SQL that puts it right, for a migration; undefined where a person has to decide. */
  readonly sql: string | undefined;
}

/** The whole sentence: `Owner.email: @Unique has no …`. */
export function sentenceOf({ model, property, what }: Finding): string {
  return `${model}${property === undefined ? '' : `.${property}`}: ${what}`;
}
