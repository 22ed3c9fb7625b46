export interface InvariantFact {
  readonly name: string;
  /** The attributes in which the rows of a group agree; none for the whole table. */
  readonly over: readonly string[];
  /** Whether groups are handed to `brokenBy` as objects, since `over` was given as a list. */
  readonly isListed: boolean;
  readonly where: string | undefined;
  readonly having: string | undefined;
  readonly evenEmpty: boolean;
  /** Gives the groups that break the rule. */
  readonly brokenBy: ((groups: readonly unknown[]) => Promise<readonly unknown[]>) | undefined;
  /** Associations whose records belong to the group too. */
  readonly touchedBy: readonly string[];
}

declare module '../schema/facts' {
  interface FactSlots {
    invariant: InvariantFact;
    /** The belongsTo at whose other end is the root of the aggregate. */
    lockedBy: { readonly association: string };
  }
}
