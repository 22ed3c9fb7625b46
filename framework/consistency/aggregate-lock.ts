import { parentsOf } from '../associations/association';
import { quotedName } from '../database/quoted-name';
import type { Statement } from '../database/statement';
import { statementName } from '../database/statement-name';
import type { ModelClass } from '../schema/facts';
import type { Column, ModelSchema } from '../schema/model-schema';
import { modelRegistry } from '../schema/registry';
import { guardOf } from '../transaction/guards';
import { holdGuards } from '../transaction/hold-guards';
import { Topic } from '../transaction/notes';
import type { Session } from '../transaction/session';
import { canonicalText } from './canonical-text';
import type { RowValues } from './row-values';
import { rowsOfTexts } from './row-values';

/** Which column of a model's rows names a root above them. */
interface RootReference {
  readonly root: ModelSchema;
  readonly column: Column;
  readonly association: string;
}

interface Root {
  readonly schema: ModelSchema;
  readonly key: string;
  /** The association that is about to refer to it anew. */
  readonly givenAs?: string;
}

const LOCKED = new Topic<true>();
const rootModels = new Set<ModelClass>();
const references = new WeakMap<ModelSchema, readonly RootReference[]>();

modelRegistry.onSeal((schema) => {
  const names = schema.facts('lockedBy').map(({ association }) => association);
  for (const { property, target } of schema.facts('association')) {
    if (names.includes(property)) rootModels.add(target());
  }
});

modelRegistry.addRule((schema) =>
  schema.facts('lockedBy').flatMap(({ association }) => {
    const fact = schema.facts('association').find(({ property }) => property === association);
    return fact?.kindOf === 'belongsTo' ? [] : [`: is @LockedBy "${association}", which is no @BelongsTo.`];
  }),
);

function referencesOf(schema: ModelSchema): readonly RootReference[] {
  let found = references.get(schema);
  if (!found) {
    const names = schema.facts('lockedBy').map(({ association }) => association);
    found = parentsOf(schema)
      .filter(({ property }) => names.includes(property))
      .map(({ property, target, foreignKey }) => ({ root: target, column: foreignKey, association: property }));
    references.set(schema, found);
  }
  return found;
}

/** The columns of a model's rows that say to which aggregates they belong; none where nothing is declared. */
export function aggregateColumns(schema: ModelSchema): readonly Column[] {
  const columns = referencesOf(schema).map(({ column }) => column);
  return rootModels.has(schema.model) ? [...columns, schema.primaryKey] : columns;
}

/**
 * Locks the roots of the aggregates that these rows belong to, and the roots of those, until the transaction ends; each
 * once. A guard goes with each root: it puts the locks of several in one order, and under repeatable read and
 * serializable tells of the operations that this transaction's snapshot does not show.
 *
 * @param assigned what one row is about to be given
 * @returns the associations that it gives a root that is not there
 */
export async function lockRoots(
  session: Session,
  schema: ModelSchema,
  rows: readonly RowValues[],
  assigned: RowValues = {},
): Promise<string[]> {
  const missing: string[] = [];
  const given = rootsAbove(schema, assigned).map(([root, givenAs]): Root => ({ ...root, givenAs }));
  let wanted = distinct([...rows.flatMap((row) => rootsOf(schema, row)), ...given]);
  while (wanted.length > 0) {
    const found = await lock(session, wanted);
    missing.push(...wanted.flatMap(({ givenAs }, index) => (found[index] || !givenAs ? [] : givenAs)));
    wanted = distinct(
      wanted.flatMap((root, index) => rootsAbove(root.schema, found[index] ?? {}).map(([above]) => above)),
    );
  }
  return missing;
}

/** @throws PrecautionNeededError when these rows belong to an aggregate whose root is not locked */
export function assertRootsLocked({ scope }: Session, schema: ModelSchema, rows: readonly RowValues[]): void {
  const { notes, transaction } = scope!; // only called in a transaction that has locked others
  const unlocked = rows.flatMap((row) => rootsOf(schema, row)).filter((root) => !notes.find(LOCKED, nameOf(root)));
  if (unlocked.length === 0) return;
  transaction.runAgainWith({ guards: unlocked.map(guardOfRoot) });
}

/** The roots above a row, and the row itself if it is one. */
function rootsOf(schema: ModelSchema, row: RowValues): Root[] {
  const above = rootsAbove(schema, row).map(([root]) => root);
  const key = rootModels.has(schema.model) ? (row[schema.primaryKey.property] ?? null) : null;
  return key === null ? above : [...above, { schema, key: canonicalText(schema.primaryKey, key) }];
}

/** With the associations that lead to them. */
function rootsAbove(schema: ModelSchema, row: RowValues): [Root, string][] {
  return referencesOf(schema).flatMap(({ root, column, association }): [Root, string][] => {
    const key = row[column.property] ?? null;
    return key === null ? [] : [[{ schema: root, key: canonicalText(column, key) }, association]];
  });
}

/** Of two that are the same the last counts. */
function distinct(roots: readonly Root[]): Root[] {
  return [...new Map(roots.map((root) => [nameOf(root), root])).values()];
}

/** @returns what the row of each root says of the roots above it; undefined where it has no row */
async function lock(session: Session, roots: readonly Root[]): Promise<(RowValues | undefined)[]> {
  const scope = session.scope!;
  const unlocked = roots.filter((root) => !scope.notes.find(LOCKED, nameOf(root)));
  const guarded = holdGuards(session, unlocked.map(guardOfRoot));
  const answers = Promise.allSettled(unlocked.map((root) => session.execute(statementFor(root), scope)));
  await Promise.allSettled([guarded, answers]); // nothing is under way any more when it fails
  await guarded;
  const rows = new Map<Root, RowValues>();
  (await answers).forEach((answer, index) => {
    if (answer.status === 'rejected') throw answer.reason as Error;
    const root = unlocked[index]!;
    const [row] = answer.value.rows;
    if (!row) return;
    scope.notes.add(LOCKED, nameOf(root), true);
    rows.set(root, rowsOfTexts(columnsAbove(root), [row])[0] ?? {});
  });
  return roots.map((root) => (unlocked.includes(root) ? rows.get(root) : {})); // those above a locked one are locked too
}

/** Locks a root as a write to it that leaves its key alone would; no row comes back when it is not there. */
function statementFor(root: Root): Statement {
  const { table, primaryKey } = root.schema;
  const columns = columnsAbove(root).map(({ name }) => quotedName(name));
  const selected = columns.length === 0 ? '1' : columns.join(', ');
  const text = `select ${selected} from ${quotedName(table)} where ${quotedName(primaryKey.name)} = $1 for no key update`;
  const about = { table, key: root.key };
  return { text, name: statementName(text), values: [root.key], valuesAs: 'text', writes: false, about };
}

function columnsAbove({ schema }: Root): readonly Column[] {
  return referencesOf(schema).map(({ column }) => column);
}

function guardOfRoot({ schema, key }: Root): number {
  return guardOf(`aggregate ${schema.table}`, key);
}

function nameOf({ schema, key }: Root): string {
  return `${schema.table}\0${key}`;
}
