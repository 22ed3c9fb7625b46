import { STATE } from '../attributes/record-state';
import { hasCallbacks, hasCallbacksBefore, registerOutcomeCallbacks, withCallbacks } from '../callbacks/run';
import { selectList } from '../query/reading';
import type { ModelSchema } from '../schema/model-schema';
import { currentSession } from '../transaction/current';
import type { Problem } from '../validation/errors';
import { ValidationError } from '../validation/errors';
import { rulesRead } from '../validation/validate';
import { firstRule } from './bulk-insert';
import type { BulkRow } from './bulk-rows';
import { batchesOf } from './bulk-rows';
import { writeBatches } from './bulk-write';
import { newRecord } from './instantiate';
import { inOwnScope } from './own-scope';
import { enrol, errorsOf } from './record';
import type { RecordObject } from './record';
import { savedAs, saveRecord, stamped, validate } from './save';

/**
 * Makes records and saves them, all or none. Validated one after the other and inserted together; but one by one where
 * code of the model's runs before an INSERT, since it may look at the rows before its own.
 */
export async function createAll(schema: ModelSchema, given: readonly object[]): Promise<object[]> {
  const records = given.map((values) => newRecord(schema, values) as RecordObject);
  if (!mayLook(schema)) await validateAll(schema, records);
  await (mayLook(schema) ? saveOneByOne(schema, records) : saveTogether(schema, records));
  return records;
}

function mayLook(schema: ModelSchema): boolean {
  return schema.facts('validator').length > 0 || hasCallbacksBefore(schema) || rulesRead(schema);
}

async function saveOneByOne(schema: ModelSchema, records: readonly RecordObject[]): Promise<void> {
  await inOwnScope(currentSession(), async () => {
    for (const [index, record] of records.entries()) {
      try {
        await saveRecord(record, {});
      } catch (error) {
        if (!(error instanceof ValidationError)) throw error;
        throw new ValidationError(schema.name, numbered(error.problems, index), error);
      }
    }
  });
}

/** @throws ValidationError with what is wrong with all of them; the same problems are then in each record's `errors` */
async function validateAll(schema: ModelSchema, records: readonly RecordObject[]): Promise<void> {
  const problems: Problem[] = [];
  for (const [index, record] of records.entries()) {
    try {
      await validate(schema, record);
    } catch (error) {
      if (!(error instanceof ValidationError)) throw error;
      problems.push(...numbered(error.problems, index));
    }
  }
  if (problems.length > 0) throw new ValidationError(schema.name, problems);
}

async function saveTogether(schema: ModelSchema, records: readonly RecordObject[]): Promise<void> {
  if (records.length === 0) return;
  const session = currentSession();
  const rows = records.map((record, index): BulkRow => ({ index, state: stamped(schema, record[STATE], true) }));
  const insert = () =>
    writeBatches(session, schema, {
      batches: batchesOf(schema, rows, firstRule(schema)),
      returned: { name: 'record', list: selectList(schema) },
      begin: () => undefined,
      take: (batch, cells) =>
        cells.map((row, at) => {
          const { index, state } = batch.rows[at]!;
          const record = records[index]!;
          enrol(session.scope, record);
          record[STATE] = savedAs(schema, state, row);
          return record[STATE].stored;
        }),
    });
  try {
    if (!hasCallbacks(schema, ['save', 'create'])) return await insert();
    await inOwnScope(session, async (scope) => {
      for (const record of records) registerOutcomeCallbacks(schema, record, 'create', scope);
      await insert();
      for (const record of records) await callAfter(schema, record);
    });
  } catch (error) {
    if (error instanceof ValidationError) tellEach(records, error);
    throw error;
  }
}

/** All callbacks there are come after. */
function callAfter(schema: ModelSchema, record: RecordObject): Promise<void> {
  return withCallbacks(schema, record, 'save', () => withCallbacks(schema, record, 'create', () => Promise.resolve()));
}

function tellEach(records: readonly RecordObject[], { problems }: ValidationError): void {
  for (const { index, ...problem } of problems) {
    if (index === undefined) continue;
    const errors = errorsOf(records[index]!);
    errors.add(problem.attribute, problem.message, problem.code);
  }
}

function numbered(problems: readonly Problem[], index: number): Problem[] {
  return problems.map((problem) => ({ ...problem, index }));
}
