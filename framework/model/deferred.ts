import { STATE } from '../attributes/record-state';
import { problemOfForeignKey, referrersProblem } from '../associations/parents';
import { StatementError } from '../database/errors';
import type { ModelSchema } from '../schema/model-schema';
import { modelRegistry } from '../schema/registry';
import { explainCommitRefusalsWith } from '../transaction/commit-refusal';
import { asValidationError, isAboutTable } from '../validation/constraints';
import { ValidationError } from '../validation/errors';
import { errorsOf, schemaOfRecord } from './record';

/**
 * A deferred constraint refuses the COMMIT: its table tells whose rule it stands beneath, first among the models
 * whose records were written. Where only one record can be meant, its errors tell too.
 */
explainCommitRefusalsWith((error, touched) => {
  if (!(error instanceof StatementError)) return error;
  const records = touched.filter((each) => STATE in each);
  const written = records.map(schemaOfRecord);
  for (const schema of new Set([...written, ...modelRegistry.sealed])) {
    if (!isAboutTable(schema, error)) continue;
    const known = explained(schema, error);
    if (known === error) continue;
    const own = records.filter((_, index) => written[index] === schema);
    if (known instanceof ValidationError && own.length === 1) errorsOf(own[0]!).replace(known.problems);
    return known;
  }
  return error;
});

function explained(schema: ModelSchema, error: StatementError): unknown {
  return referrersProblem(schema, asValidationError(schema, error, problemOfForeignKey));
}
