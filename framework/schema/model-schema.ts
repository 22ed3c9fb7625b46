import type { ColumnType } from './column-types';
import type { Fact, FactKind, FactOf, ModelClass, OnConflict } from './facts';

export interface Column {
  readonly property: string;
  readonly name: string;
  readonly type: ColumnType;
  readonly isPrimaryKey: boolean;
  readonly isNullable: boolean;
  readonly hasDatabaseDefault: boolean;
  readonly isGenerated: boolean;
  readonly initial: (() => unknown) | undefined;
  readonly timestamp: 'created' | 'updated' | undefined;
  readonly isVersion: boolean;
}

/** Everything that is declared of one model, checked and unchanging. The layers below `model/` work with this. */
export class ModelSchema {
  static #count = 0;
  /** Unique within this process: names need not be. */
  readonly id = ++ModelSchema.#count;
  readonly model: ModelClass;
  /** The class's name. */
  readonly name: string;
  readonly table: string;
  readonly columns: readonly Column[];
  readonly primaryKey: Column;
  /** The one that `@Version` declares, if any. */
  readonly versionColumn: Column | undefined;
  /** Attributes that no column holds. */
  readonly virtuals: readonly string[];
  readonly #facts: readonly Fact[];
  readonly #byKind = new Map<FactKind, readonly Fact[]>();
  readonly #byProperty: ReadonlyMap<string, Column>;

  constructor(parts: {
    model: ModelClass;
    table: string;
    columns: readonly Column[];
    primaryKey: Column;
    virtuals: readonly string[];
    facts: readonly Fact[];
  }) {
    this.model = parts.model;
    this.name = parts.model.name;
    this.table = parts.table;
    this.columns = parts.columns;
    this.primaryKey = parts.primaryKey;
    this.versionColumn = parts.columns.find((column) => column.isVersion);
    this.virtuals = parts.virtuals;
    this.#facts = parts.facts;
    this.#byProperty = new Map(parts.columns.map((column) => [column.property, column]));
  }

  /** What `@Table` says of saves whose row was changed by somebody else. */
  get onConflict(): OnConflict {
    return this.facts('table')[0]?.onConflict ?? 'fail';
  }

  column(property: string): Column | undefined {
    return this.#byProperty.get(property);
  }

  /** Of the model and of the classes that it extends, theirs first. */
  facts<K extends FactKind>(kind: K): readonly FactOf<K>[] {
    let facts = this.#byKind.get(kind);
    if (!facts) this.#byKind.set(kind, (facts = this.#facts.filter((fact) => fact.kind === kind)));
    return facts as unknown as readonly FactOf<K>[];
  }
}
