import { parentsOf } from '../associations/association';
import type { ModelClass } from '../schema/facts';
import type { Column, ModelSchema } from '../schema/model-schema';
import { modelRegistry } from '../schema/registry';
import { guardOf } from '../transaction/guards';
import { heldGuards, holdGuards } from '../transaction/hold-guards';
import { Topic } from '../transaction/notes';
import { lockRow } from '../transaction/precautions';
import type { Session } from '../transaction/session';
import { canonicalText } from './canonical-text';
import type { RowValues } from './row-values';
import { rowsOfTexts } from './row-values';

/** Which column of a model's rows names the root of their aggregate. */
interface RootReference {
  readonly root: ModelSchema;
  readonly column: Column;
  /** The belongsTo that leads there; undefined where the rows are roots themselves. */
  readonly association: string | undefined;
}

interface Root extends Pick<RootReference, 'association'> {
  readonly schema: ModelSchema;
  readonly key: string;
}

const LOCKED = new Topic<true>();
const rootModels = new Set<ModelClass>();

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

const references = new WeakMap<ModelSchema, readonly RootReference[]>();

function referencesOf(schema: ModelSchema): readonly RootReference[] {
  let found = references.get(schema);
  if (!found) {
    const names = schema.facts('lockedBy').map(({ association }) => association);
    found = parentsOf(schema)
      .filter(({ property }) => names.includes(property))
      .map(({ property, target, foreignKey }) => ({ root: target, column: foreignKey, association: property }));
    references.set(schema, found);
  }
  if (!rootModels.has(schema.model)) return found;
  return [...found, { root: schema, column: schema.primaryKey, association: undefined }];
}

/** The columns of a model's rows that name the roots of their aggregates; none where nothing is declared. */
export function rootColumns(schema: ModelSchema): readonly Column[] {
  return referencesOf(schema).map(({ column }) => column);
}

/**
 * Locks the roots of the aggregates that these rows belong to, and the roots of those, until the transaction ends; each
 * once. A guard goes with each root: it puts the locks of several in one order, and under repeatable read and
 * serializable tells of the operations that this transaction's snapshot does not show.
 *
 * @returns the associations whose root is not there
 */
export async function lockRoots(session: Session, schema: ModelSchema, rows: readonly RowValues[]): Promise<string[]> {
  const missing: string[] = [];
  let wanted = rootsOf(schema, rows);
  while (wanted.length > 0) {
    const found = await lock(session, wanted);
    missing.push(...wanted.flatMap((root, index) => (found[index] ? [] : (root.association ?? []))));
    wanted = wanted.flatMap((root, index) => (found[index] ? rootsOf(root.schema, [found[index]], true) : []));
  }
  return missing;
}

/** @throws PrecautionNeededError when these rows belong to an aggregate whose root is not locked */
export function assertRootsLocked(session: Session, schema: ModelSchema, rows: readonly RowValues[]): void {
  const { notes, transaction } = session.scope!;
  const unlocked = rootsOf(schema, rows).filter((root) => notes.find(LOCKED, nameOf(root)) === undefined);
  if (unlocked.length === 0) return;
  transaction.runAgainWith({ guards: [...heldGuards(session.scope!), ...unlocked.map(guardOfRoot)] });
}

/** @param isLocked whether the rows are roots that are locked themselves */
function rootsOf(schema: ModelSchema, rows: readonly RowValues[], isLocked = false): Root[] {
  const roots = referencesOf(schema)
    .filter(({ association }) => !isLocked || association !== undefined)
    .flatMap(({ root, column, association }) =>
      rows
        .map((row) => row[column.property] ?? null)
        .filter((key) => key !== null)
        .map((key): Root => ({ schema: root, key: canonicalText(column, key), association })),
    );
  return [...new Map(roots.map((root) => [nameOf(root), root])).values()];
}

/** @returns for each root what its row says of the roots above it; undefined where it has no row */
async function lock(session: Session, roots: readonly Root[]): Promise<(RowValues | undefined)[]> {
  const scope = session.scope!;
  const isLocked = (root: Root) => scope.notes.find(LOCKED, nameOf(root)) === true;
  const unlocked = roots.filter((root) => !isLocked(root));
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
    rows.set(root, rowsOfTexts(upward(root), [row])[0] ?? {});
  });
  return roots.map((root) => (unlocked.includes(root) ? rows.get(root) : {}));
}

function statementFor({ schema, key }: Root) {
  const { table, primaryKey } = schema;
  return lockRow(
    { table, keyColumn: primaryKey.name, key },
    upward({ schema }).map(({ name }) => name),
  );
}

/** The columns of a root's row that name the roots above it. */
function upward({ schema }: Pick<Root, 'schema'>): readonly Column[] {
  return referencesOf(schema).flatMap(({ association, column }) => (association === undefined ? [] : [column]));
}

function guardOfRoot({ schema, key }: Root): number {
  return guardOf(`aggregate ${schema.table}`, key);
}

function nameOf({ schema, key }: Root): string {
  return `${schema.table}\0${key}`;
}
