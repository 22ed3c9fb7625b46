import { groupBy } from '../core/group-by';
import type { StatementResult } from '../database/statement';
import type { ModelSchema } from '../schema/model-schema';
import { CommitTask } from '../transaction/before-commit';
import { currentSession } from '../transaction/current';
import { guardOf } from '../transaction/guards';
import { holdGuards } from '../transaction/hold-guards';
import type { Scope } from '../transaction/scope';
import type { Session } from '../transaction/session';
import { canonicalText } from './canonical-text';
import { InvariantViolationError } from './errors';
import type { Invariant } from './invariants';
import { watchesOf } from './invariants';
import type { RowValues } from './row-values';

/** A group of rows that a transaction has written to. */
interface TouchedGroup {
  readonly invariant: Invariant;
  /** Their values in the columns of the rule, as PostgreSQL prints them. */
  readonly texts: readonly string[];
  readonly guard: number;
}

/** Notes in which groups a row is, or was before it was written, so that their rules are checked before the commit. */
export function touchGroups(scope: Scope, schema: ModelSchema, row: RowValues): void {
  for (const { invariant, columns } of watchesOf(schema)) {
    const values = columns.map(({ property }) => row[property] ?? null);
    if (values.includes(null)) continue; // as for a foreign key, null is no value to agree in
    const texts = columns.map((column, index) => canonicalText(column, values[index]));
    const rule = `invariant ${invariant.schema.table} ${invariant.name}`;
    const key = texts.join('\0');
    scope.notes.add(CHECK, `${rule}\0${key}`, { invariant, texts, guard: guardOf(rule, key) });
  }
}

/**
 * Takes the guards of all groups, in one order, and evaluates each rule once for all of its groups, all in one flight.
 *
 * A guard is taken after the writes to its group and before the look at it. Whoever wrote to the group and committed did
 * so before, and is seen or fails us; or takes it after us, and sees us.
 */
class CheckInvariants extends CommitTask<TouchedGroup> {
  async run(notes: ReadonlyMap<string, TouchedGroup>): Promise<void> {
    const session = currentSession();
    const touched = [...notes.values()];
    const guarded = holdGuards(
      session,
      touched.map(({ guard }) => guard),
    );
    const byInvariant = [...groupBy(touched, ({ invariant }) => invariant)];
    const evaluations = Promise.allSettled(byInvariant.map(([rule, groups]) => brokenGroups(session, rule, groups)));
    await Promise.allSettled([guarded, evaluations]); // nothing is under way any more when it fails
    await guarded;
    (await evaluations).forEach((outcome, index) => {
      if (outcome.status === 'rejected') throw outcome.reason as Error;
      if (outcome.value.length > 0) throw violation(byInvariant[index]![0], outcome.value);
    });
  }
}

const CHECK = new CheckInvariants();

async function brokenGroups(
  session: Session,
  invariant: Invariant,
  groups: readonly TouchedGroup[],
): Promise<readonly unknown[]> {
  const { columns, evaluation, brokenBy } = invariant;
  if (!evaluation) return brokenBy!(groups.map(({ texts }) => presented(invariant, texts))); // one of the two is there
  const lists = columns.map((_, index) => groups.map(({ texts }) => texts[index]));
  const [found, none] = await Promise.all([
    session.execute({ ...evaluation, values: lists }),
    invariant.ofNone && session.execute(invariant.ofNone),
  ]);
  if (columns.length === 0) return saysTrue(found.rows[0]!) ? [undefined] : [];
  return brokenAmong(invariant, groups, found, none !== undefined && saysTrue(none.rows[0]!));
}

/** The lists of several columns name more groups than were touched: each value of one with each of the other. */
function brokenAmong(
  invariant: Invariant,
  groups: readonly TouchedGroup[],
  { rows }: StatementResult,
  isNoneBroken: boolean,
): unknown[] {
  const count = invariant.columns.length;
  const found = new Map(rows.map((row) => [row.slice(0, count).join('\0'), saysTrue(row)]));
  return groups
    .filter(({ texts }) => found.get(texts.join('\0')) ?? isNoneBroken)
    .map(({ texts }) => presented(invariant, texts));
}

const saysTrue = (row: readonly unknown[]) => row.at(-1) === 't';

/** As the model has them. */
function presented({ columns, over, isListed }: Invariant, texts: readonly string[]): unknown {
  const values = columns.map(({ type }, index) => type.parse(texts[index]!));
  return isListed ? Object.fromEntries(over.map((property, index) => [property, values[index]])) : values[0];
}

function violation({ schema, name, over }: Invariant, broken: readonly unknown[]): InvariantViolationError {
  const groups = over.length === 0 ? [] : broken;
  return new InvariantViolationError({ model: schema.name, invariant: name, over, groups });
}
