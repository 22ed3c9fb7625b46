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

export interface UniqueIndex {
  readonly name: string;
  /** Column names, or expressions as PostgreSQL prints them. */
  readonly keys: readonly string[];
  readonly isPartial: boolean;
  /** False while it is being built, and when that failed: then it holds nothing. */
  readonly isValid: boolean;
  /** Whether it refuses a statement at once. Not so beneath a constraint that is deferrable, deferred or not. */
  readonly isImmediate: boolean;
  /** Whether it belongs to a constraint that is `deferrable initially deferred`. */
  readonly isDeferred: boolean;
  readonly nulls: 'distinct' | 'not distinct';
}

/** A check or a foreign key. */
export interface Constraint {
  readonly name: string;
  readonly kind: 'check' | 'foreign key';
  /** Of a constraint over one column, that column. */
  readonly column: string | undefined;
  /** False for `not valid` and `not enforced`: rows that break it may be there. */
  readonly isValid: boolean;
}

export interface CatalogTable {
  readonly columns: ReadonlyMap<string, CatalogColumn>;
  readonly uniqueIndexes: readonly UniqueIndex[];
  readonly constraints: readonly Constraint[];
}

// The tables are named as the statements name them, so that search_path decides here as it does there.
const TABLES = `with wanted as (select name, to_regclass(name) as oid from unnest($1::text[]) as name)`;

// What older servers do not have is looked for by name: 15 brought nulls not distinct, 18 not null as a constraint that
// may be not valid, and constraints that are not enforced.
const COLUMNS = `${TABLES}
  select w.name, a.attname::text, t.typname::text, coalesce(e.typtype, t.typtype) = 'e',
    a.attnotnull and not exists (select from pg_constraint n where n.conrelid = w.oid and n.contype = 'n'
      and n.conkey[1] = a.attnum and not n.convalidated),
    a.atthasdef or a.attidentity <> ''
  from wanted w join pg_attribute a on a.attrelid = w.oid and a.attnum > 0 and not a.attisdropped
  join pg_type t on t.oid = a.atttypid left join pg_type e on e.oid = t.typelem and t.typcategory = 'A'`;

const UNIQUE_INDEXES = `${TABLES}
  select w.name, c.relname::text,
    array(select pg_get_indexdef(i.indexrelid, k, true) from generate_series(1, i.indnkeyatts) as k),
    i.indpred is not null, i.indisvalid and i.indisready, i.indimmediate, coalesce(o.condeferred, false),
    coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false)
  from wanted w join pg_index i on i.indrelid = w.oid and i.indisunique
  join pg_class c on c.oid = i.indexrelid
  left join pg_constraint o on o.conindid = i.indexrelid and o.contype in ('u', 'p')`;

const CONSTRAINTS = `${TABLES}
  select w.name, c.conname::text, c.contype::text, a.attname::text,
    c.convalidated and coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true)
  from wanted w join pg_constraint c on c.conrelid = w.oid and c.contype in ('c', 'f')
  left join pg_attribute a on a.attrelid = c.conrelid and cardinality(c.conkey) = 1 and a.attnum = c.conkey[1]`;

export interface Catalog {
  /** One that the database does not have is not in the map. */
  readonly tables: ReadonlyMap<string, CatalogTable>;
  /** As PostgreSQL counts: 180004 is 18.4. */
  readonly serverVersion: number;
}

const VERSION = `select current_setting('server_version_num')::int`;

/** What the database says of these tables, in one flight. */
export async function readCatalog(session: Session, names: readonly string[]): Promise<Catalog> {
  const version = session.execute({ text: VERSION, writes: false });
  const [tables, { rows }] = await Promise.all([readTables(session, names), version]);
  return { tables, serverVersion: rows[0]![0] as number };
}

async function readTables(session: Session, tables: readonly string[]): Promise<ReadonlyMap<string, CatalogTable>> {
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
      const described: CatalogTable = {
        columns: new Map(found.map(toColumn)),
        uniqueIndexes: (indexesByTable.get(name) ?? []).map(toIndex),
        constraints: (constraintsByTable.get(name) ?? []).map(toConstraint),
      };
      return [[table, described]];
    }),
  );
}

function toColumn(row: unknown[]): [string, CatalogColumn] {
  const [, name, typeName, isEnum, isNotNull, hasDefault] = row as [string, string, string, boolean, boolean, boolean];
  return [name, { name, typeName, isEnum, isNotNull, hasDefault }];
}

function toIndex(row: unknown[]): UniqueIndex {
  const [, name, keys, ...flags] = row as [string, string, string[], ...boolean[]];
  const [isPartial = false, isValid = false, isImmediate = false, isDeferred = false, areNullsAlike = false] = flags;
  const nulls = areNullsAlike ? 'not distinct' : 'distinct';
  return { name, keys, isPartial, isValid, isImmediate, isDeferred, nulls };
}

function toConstraint(row: unknown[]): Constraint {
  const [, name, type, column, isValid] = row as [string, string, string, string | null, boolean];
  return { name, kind: type === 'c' ? 'check' : 'foreign key', column: column ?? undefined, isValid };
}
