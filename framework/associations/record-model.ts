import type { RecordSource } from '../query/source';
import type { Query } from '../query/query';
import type { ModelSchema } from '../schema/model-schema';

/** What associations need of a model at their other end; only `model/` knows classes. */
export interface RecordModel extends RecordSource<object> {
  query(): Query<object>;
  build(values: object): object;
  save(record: object): Promise<void>;
  destroy(record: object): Promise<void>;
}

const models = new WeakMap<ModelSchema, RecordModel>();

/** Called by `model/` for each model that is sealed. */
export function provideRecordModel(schema: ModelSchema, model: RecordModel): void {
  models.set(schema, model);
}

export function recordModelOf(schema: ModelSchema): RecordModel {
  return models.get(schema)!; // every sealed schema has been provided for
}
