import { associationsOf, joiningProperty } from '../associations/association';
import { quotedName } from '../database/quoted-name';
import type { Statement } from '../database/statement';
import { statementName } from '../database/statement-name';
import type { ModelClass } from '../schema/facts';
import type { Column, ModelSchema } from '../schema/model-schema';
import { modelRegistry } from '../schema/registry';
import type { InvariantFact } from './facts';

/** A declared rule over several rows, with its statements made. */
export interface Invariant extends InvariantFact {
  readonly schema: ModelSchema;
  readonly columns: readonly Column[];
  /**
   * Takes a list of values for each column. Gives a row for each group: its values, then whether it breaks the rule;
   * unless empty groups are asked too, only for those that do. Undefined for a rule in code.
   */
  readonly evaluation: Statement | undefined;
  /** Says whether a group without rows breaks the rule, where that matters. */
  readonly ofNone: Statement | undefined;
}

/** A rule that a write to one model's rows may break, and the columns of that model that say in which group. */
export interface Watch {
  readonly invariant: Invariant;
  readonly columns: readonly Column[];
}

const NONE: readonly Watch[] = [];
const watches = new Map<ModelClass, Watch[]>();

/** What watches over the rows of a model: its own rules, and those of others that it touches. */
export function watchesOf(schema: ModelSchema): readonly Watch[] {
  for (const watching of unresolved.splice(0)) resolve(watching);
  return watches.get(schema.model) ?? NONE;
}

/** The columns that say in which groups a row of the model is. */
export function watchedColumns(schema: ModelSchema): readonly Column[] {
  return [...new Set(watchesOf(schema).flatMap(({ columns }) => columns))];
}

/** Sealed, and their associations not yet looked at: their other ends may be sealed later. */
const unresolved: ModelSchema[] = [];
modelRegistry.onSeal((schema) => {
  if (schema.facts('invariant').length > 0) unresolved.push(schema);
});

function resolve(schema: ModelSchema): void {
  for (const fact of schema.facts('invariant')) {
    const invariant = invariantOf(schema, fact);
    watch(schema, { invariant, columns: invariant.columns });
    for (const name of fact.touchedBy) {
      const association = associationsOf(schema).get(name)!;
      const { target } = association;
      watch(target, { invariant, columns: [target.column(joiningProperty(association))!] });
    }
  }
}

function watch({ model }: ModelSchema, added: Watch): void {
  watches.set(model, [...(watches.get(model) ?? []), added]);
}

function invariantOf(schema: ModelSchema, fact: InvariantFact): Invariant {
  const columns = fact.over.map((property) => schema.column(property)!);
  const { having, evenEmpty } = fact;
  if (having === undefined) return { ...fact, schema, columns, evaluation: undefined, ofNone: undefined };
  const from = `from ${quotedName(schema.table)}`;
  const counted = fact.where === undefined ? [] : [`(${fact.where})`];
  if (columns.length === 0) {
    const where = counted.length > 0 ? ` where ${counted[0]}` : '';
    return {
      ...fact,
      schema,
      columns,
      evaluation: read(`select (${having}) is false ${from}${where}`),
      ofNone: undefined,
    };
  }
  const names = columns.map(({ name }) => quotedName(name));
  const where = [...names.map((name, index) => `${name} = any($${index + 1})`), ...counted].join(' and ');
  const groups = `select ${names.join(', ')}, (${having}) is false ${from} where ${where} group by ${names.join(', ')}`;
  return {
    ...fact,
    schema,
    columns,
    evaluation: read(evenEmpty ? groups : `${groups} having (${having}) is false`),
    ofNone: evenEmpty ? read(`select (${having}) is false ${from} where false`) : undefined,
  };
}

function read(text: string): Statement {
  return { text, name: statementName(text), valuesAs: 'text', writes: false };
}

/** Of these types two values are the same in SQL just when their texts are, so that one group has one guard. */
const GROUPING_TYPES: readonly string[] = [
  'smallint',
  'integer',
  'bigint',
  'text',
  'varchar',
  'uuid',
  'date',
  'enum',
  'boolean',
];

modelRegistry.addRule((schema) => {
  const facts = schema.facts('invariant');
  return facts.flatMap((fact, index): string[] => [
    ...(facts.findIndex(({ name }) => name === fact.name) < index
      ? [`: has two invariants called "${fact.name}".`]
      : []),
    ...fact.over.flatMap((property) => overProblems(schema, fact, property)),
    ...slotProblems(schema, fact),
    ...fact.touchedBy.flatMap((association) => touchProblems(schema, fact, association)),
  ]);
});

function overProblems(schema: ModelSchema, { name }: InvariantFact, property: string): string[] {
  const column = schema.column(property);
  if (!column) return [`: the invariant "${name}" is over "${property}", which is no column.`];
  if (GROUPING_TYPES.includes(column.type.name)) return [];
  return [
    `.${property}: the invariant "${name}" cannot be over ${column.type.name}; use one of ${GROUPING_TYPES.join(', ')}.`,
  ];
}

/** SQL of the user's sees what the row has kept; records are read with what the slots have. */
function slotProblems(schema: ModelSchema, { name, over, having = '', where = '' }: InvariantFact): string[] {
  const spread = schema.facts('counter').filter(({ slots }) => slots !== undefined);
  return spread.flatMap(({ property }) => {
    const column = schema.column(property)?.name ?? property;
    const isMentioned = new Set(`${having} ${where}`.match(WORDS)).has(column) || over.includes(property);
    if (!isMentioned) return [];
    return [
      `.${property}: the invariant "${name}" cannot see its slots; read records in brokenBy or holds, or have none.`,
    ];
  });
}

const WORDS = /[\p{L}\p{N}_$]+/gu;

/** Looks at this side only: the other end's model may not be sealed yet. */
function touchProblems(schema: ModelSchema, { name, over }: InvariantFact, association: string): string[] {
  const fact = schema.facts('association').find(({ property }) => property === association);
  if (!fact) return [`: the invariant "${name}" is touched by "${association}", which is no association.`];
  const joining = fact.kindOf === 'belongsTo' ? (fact.foreignKey ?? `${association}Id`) : schema.primaryKey.property;
  if (over.length === 1 && over[0] === joining) return [];
  return [`.${association}: touches the invariant "${name}" only if that is over "${joining}", which joins the two.`];
}
