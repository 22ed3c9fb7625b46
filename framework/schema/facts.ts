import type { ColumnType } from './column-types';

/** A model class, as the layers below `model/` know it: an identity with a name. Abstract ones included. */
export type ModelClass = abstract new (...args: never[]) => object;

/** What decorators say. A feature adds its kinds by merging its own slots into this interface. */
export interface FactSlots {
  table: TableFact;
  column: ColumnFact;
  virtual: { readonly property: string };
}

/** What becomes of a save whose row was changed by somebody else since the record was read. */
export const ON_CONFLICT = ['fail', 'retry', 'merge'] as const;
export type OnConflict = (typeof ON_CONFLICT)[number];

export interface TableFact {
  readonly name: string;
  readonly onConflict?: OnConflict;
}

export interface ColumnFact {
  readonly property: string;
  readonly name: string;
  /** Found out when the models are sealed: the type may be another model's. A text says why there is none. */
  readonly type: (source: FactSource) => ColumnType | string;
  readonly isPrimaryKey?: boolean;
  readonly isNullable?: boolean;
  /** The database fills it in when the model gives no value. */
  readonly hasDatabaseDefault?: boolean;
  /** The database alone fills it in. */
  readonly isGenerated?: boolean;
  /** What a new record gets for it; called once a record. */
  readonly initial?: (() => unknown) | undefined;
  /** `created`: set when the row is inserted. `updated`: set at every write. */
  readonly timestamp?: 'created' | 'updated';
  /** Counts the writes of a row; the framework alone sets it. */
  readonly isVersion?: boolean;
  /** Made by another declaration; gives way to a column that is declared by itself. */
  readonly isImplied?: boolean;
}

export type FactKind = keyof FactSlots;
export type Fact = { [K in FactKind]: { readonly kind: K } & FactSlots[K] }[FactKind];
export type FactOf<K extends FactKind> = { readonly kind: K } & FactSlots[K];

/** Where the facts of a model are found, of its own and of the classes that it extends. */
export interface FactSource {
  factsOf(model: ModelClass): readonly Fact[];
}
