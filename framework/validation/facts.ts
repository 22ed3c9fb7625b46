export interface ValidatorFact {
  readonly method: string;
  /** Contexts in which it runs; empty for all. */
  readonly on: readonly string[];
  readonly when: ((record: object) => boolean) | undefined;
}

/** What two rows without a value are to each other, in SQL's words. */
export type NullsAre = 'distinct' | 'not distinct';

export interface UniqueFact {
  readonly property: string;
  /** Attributes that together with the property must be unique. */
  readonly scope: readonly string[];
  readonly isCaseInsensitive: boolean;
  /** SQL: only rows of which it is true count. */
  readonly where: string | undefined;
  readonly nulls: NullsAre;
  /** Whether the constraint beneath is looked at when the transaction ends. */
  readonly isDeferred: boolean;
  /** Name of the unique index, where it cannot be told by its columns. */
  readonly index: string | undefined;
  readonly message: string;
}

export interface CheckFact {
  readonly property: string;
  /** SQL over the columns of the table. */
  readonly expression: string;
  /** Name of the constraint in the database. */
  readonly constraint: string | undefined;
  readonly message: string;
  /** The same rule in TypeScript, to refuse a record before it is sent. */
  readonly holds: ((record: object) => boolean) | undefined;
}

declare module '../schema/facts' {
  interface FactSlots {
    validator: ValidatorFact;
    unique: UniqueFact;
    check: CheckFact;
  }
}
