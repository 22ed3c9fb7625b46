import { groupBy } from '../core/group-by';
import { quotedName } from '../database/quoted-name';
import type { Session } from '../transaction/session';

/** A column as PostgreSQL's catalogs describe it. */
export interface CatalogColumn {
  readonly name: string;
  /** `pg_type.typname`, such as `int8`; arrays begin with an underscore. */
  readonly typeName: string;
  readonly isEnum: boolean;
  readonly isNotNull: boolean;
  /** Whether the database fills it in: a default, an identity, or a generation expression. */
  readonly hasDefault: boolean;
}

/** A valid unique index that holds at once, not at the end of the transaction only. */
export interface UniqueIndex {
  readonly name: string;
  /** Column names, or expressions as PostgreSQL prints them. */
  readonly keys: readonly string[];
  readonly isPartial: boolean;
}

export interface CatalogTable {
  readonly columns: ReadonlyMap<string, CatalogColumn>;
  readonly uniqueIndexes: readonly UniqueIndex[];
  readonly checks: ReadonlySet<string>;
  /** The columns of each foreign key that has one column only. */
  readonly referring: ReadonlySet<string>;
}

// The tables are named as the statements name them, so that search_path decides here as it does there.
const TABLES = `with wanted as (select name, to_regclass(name) as oid from unnest($1::text[]) as name)`;

const COLUMNS = `${TABLES}
  select w.name, a.attname::text, t.typname::text, coalesce(e.typtype, t.typtype) = 'e', a.attnotnull,
    a.atthasdef or a.attidentity <> ''
  from wanted w join pg_attribute a on a.attrelid = w.oid and a.attnum > 0 and not a.attisdropped
  join pg_type t on t.oid = a.atttypid left join pg_type e on e.oid = t.typelem and t.typcategory = 'A'`;

const UNIQUE_INDEXES = `${TABLES}
  select w.name, c.relname::text, i.indpred is not null,
    array(select pg_get_indexdef(i.indexrelid, k, true) from generate_series(1, i.indnkeyatts) as k)
  from wanted w join pg_index i on i.indrelid = w.oid and i.indisunique and i.indisvalid and i.indimmediate
  join pg_class c on c.oid = i.indexrelid`;

const CONSTRAINTS = `${TABLES}
  select w.name, c.contype::text, c.conname::text, a.attname::text
  from wanted w join pg_constraint c on c.conrelid = w.oid and c.contype in ('c', 'f')
  left join pg_attribute a on a.attrelid = c.conrelid and cardinality(c.conkey) = 1 and a.attnum = c.conkey[1]`;

/** What the database says of these tables; one that it does not have is not in the map. */
export async function readCatalog(
  session: Session,
  tables: readonly string[],
): Promise<ReadonlyMap<string, CatalogTable>> {
  const names = tables.map(quotedName);
  const read = async (text: string) => (await session.execute({ text, values: [names], writes: false })).rows;
  const [columns, indexes, constraints] = await Promise.all([read(COLUMNS), read(UNIQUE_INDEXES), read(CONSTRAINTS)]);
  const columnsByTable = groupBy(columns, (row) => row[0]);
  const indexesByTable = groupBy(indexes, (row) => row[0]);
  const constraintsByTable = groupBy(constraints, (row) => row[0]);
  return new Map(
    tables.flatMap((table): [string, CatalogTable][] => {
      const name = quotedName(table);
      const found = columnsByTable.get(name);
      if (!found) return [];
      const held = constraintsByTable.get(name) ?? [];
      return [
        [
          table,
          {
            columns: new Map(found.map(toColumn)),
            uniqueIndexes: (indexesByTable.get(name) ?? []).map(toIndex),
            checks: new Set(held.filter((row) => row[1] === 'c').map((row) => row[2] as string)),
            referring: new Set(held.filter((row) => row[1] === 'f' && row[3] !== null).map((row) => row[3] as string)),
          },
        ],
      ];
    }),
  );
}

function toColumn(row: unknown[]): [string, CatalogColumn] {
  const [, name, typeName, isEnum, isNotNull, hasDefault] = row as [string, string, string, boolean, boolean, boolean];
  return [name, { name, typeName, isEnum, isNotNull, hasDefault }];
}

function toIndex(row: unknown[]): UniqueIndex {
  const [, name, isPartial, keys] = row as [string, string, boolean, string[]];
  return { name, isPartial, keys };
}
