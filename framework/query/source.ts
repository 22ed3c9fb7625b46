import type { RecordState } from '../attributes/record-state';
import type { Statement } from '../database/statement';
import type { Column } from '../schema/model-schema';
import type { Condition, Conditions } from './conditions';
import type { Inclusion } from './included';
import type { SelectPlan } from './plan';
import type { Assignment, RowReference } from './statements';

/** Makes a write that gives back these columns of each row it writes; of one that changes them, as they were too. */
export type BuildWrite = (returned: readonly Column[]) => Statement;

/** What a query needs of its model; only `model/` knows classes. */
export interface RecordSource<T extends object> {
  instantiate(state: RecordState): T;
  /** Loads the associations for all records, one query each, in one flight; of those named twice the last counts. */
  preload(records: readonly T[], inclusions: readonly Inclusion[]): Promise<void>;
  /** @throws InvalidQueryError when the model has no such association */
  assertAssociation(name: string): void;
  /** Conditions on attributes, and on associations by record or key. */
  conditionOf(conditions: Conditions<T>): Condition;
  /** @throws InvalidOperandError for a value that its column cannot hold, or that may not be written */
  assertAssignable(assignments: readonly Assignment[]): void;
  /** Runs a write, with what the model's rules over several rows take. @returns how many rows it wrote */
  write(plan: SelectPlan, assignments: readonly Assignment[], build: BuildWrite): Promise<number>;
  /** Deletes the rows of a plan by `remove`; not where records refer to them that no foreign key can speak for. */
  deleting(plan: SelectPlan, remove: (plan: SelectPlan) => Promise<number>): Promise<number>;
  /** Updates by `update`, which is given the rows that the new values refer to, and may find one of them missing. */
  updating(
    assignments: readonly Assignment[],
    update: (references: readonly RowReference[]) => Promise<number>,
  ): Promise<number>;
  /** Turns a constraint's refusal of a write into the ValidationError of the rule above it; others stay as they are. */
  explain(refusal: unknown): unknown;
}
