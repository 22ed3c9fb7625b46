import { asIs } from '../schema/text-values';
import type { Column, ModelSchema } from '../schema/model-schema';
import { deepFreeze } from './deep-freeze';
import { stateOfRow } from './record-state';
import type { RecordState } from './record-state';

/** Takes a row, as the texts that PostgreSQL prints, in the order of {@link selectedNames}, to a state. */
export type Hydrator = (row: readonly (string | null)[]) => RecordState;

const hydrators = new WeakMap<ModelSchema, Hydrator>();

/** The columns that every read of a model selects; the row's version comes last. */
export function selectedNames(schema: ModelSchema): readonly string[] {
  return [...schema.columns.map((column) => column.name), 'xmin', 'ctid'];
}

/** The hydrator of a model, generated once: straight-line code makes all records share one hidden class. */
export function hydratorOf(schema: ModelSchema): Hydrator {
  let hydrator = hydrators.get(schema);
  if (!hydrator) hydrators.set(schema, (hydrator = generate(schema)));
  return hydrator;
}

function generate({ columns }: ModelSchema): Hydrator {
  const parsers = columns.map(parserOf);
  const fields = columns.map((column, index) => {
    const cell = `row[${index}]`;
    const value = parsers[index] === undefined ? cell : `${cell} === null ? null : parse${index}(${cell})`;
    return `${JSON.stringify(column.property)}: ${value}`;
  });
  const count = columns.length;
  const source = `return (row) => stateOfRow({ ${fields.join(', ')} }, row[${count}], row[${count + 1}]);`;
  const names = parsers.map((_, index) => `parse${index}`);
  // The source is made of column positions and of property names quoted as JSON: no data gets into it.
  // eslint-disable-next-line @typescript-eslint/no-implied-eval
  const make = new Function('stateOfRow', ...names, source) as (...args: unknown[]) => Hydrator;
  return make(stateOfRow, ...parsers);
}

function parserOf({ type }: Column): ((text: string) => unknown) | undefined {
  if (type.isFrozen) return (text) => deepFreeze(type.parse(text));
  return type.parse === asIs ? undefined : type.parse;
}
