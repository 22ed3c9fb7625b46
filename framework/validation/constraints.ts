import {
  CheckViolationError,
  ForeignKeyViolationError,
  NotNullViolationError,
  UniqueViolationError,
} from '../database/errors';
import type { StatementError } from '../database/errors';
import type { ModelSchema } from '../schema/model-schema';
import { ValidationError } from './errors';
import type { Problem } from './errors';
import type { CheckFact, UniqueFact } from './facts';

/** What a feature says of a violated foreign key: which attribute is wrong, if it is one of its own. */
export type ForeignKeyReader = (schema: ModelSchema, columns: readonly string[]) => Problem | undefined;

/**
 * Turns the violation of a constraint beneath a declared rule into the ValidationError that the rule's own
 * check would have given. A violation of anything undeclared stays what it is: it is a bug, not a bad input.
 *
 * @param isGiven whether the write gave an attribute a value; a key that the database made is never bad input
 */
export function asValidationError(
  schema: ModelSchema,
  error: unknown,
  readForeignKey: ForeignKeyReader,
  isGiven: (property: string) => boolean = () => true,
): unknown {
  const problem = problemBehind(schema, error, readForeignKey, isGiven);
  return problem === undefined ? error : new ValidationError(schema.name, [problem], error);
}

function problemBehind(
  schema: ModelSchema,
  error: unknown,
  readForeignKey: ForeignKeyReader,
  isGiven: (property: string) => boolean,
): Problem | undefined {
  if (error instanceof UniqueViolationError) return uniqueProblem(schema, error, isGiven);
  if (error instanceof CheckViolationError) return checkProblem(schema, error);
  if (error instanceof ForeignKeyViolationError) return readForeignKey(schema, violatedColumns(error));
  if (error instanceof NotNullViolationError) {
    const column = schema.columns.find(({ name }) => name === error.details.column);
    return column && { attribute: column.property, code: 'required', message: 'must be given' };
  }
  return undefined;
}

export function takenProblem({ property, message }: UniqueFact): Problem {
  return { attribute: property, code: 'taken', message };
}

export function failedCheckProblem({ property, message }: CheckFact): Problem {
  return { attribute: property, code: 'check', message };
}

/** Whether PostgreSQL's error is about the model's table, whose schema it tells apart. */
export function isAboutTable(schema: ModelSchema, error: StatementError): boolean {
  return error.details.table === tableName(schema);
}

/** `items` of `shop.items`. */
export function tableName({ table }: ModelSchema): string {
  return table.slice(table.lastIndexOf('.') + 1);
}

function uniqueProblem(
  schema: ModelSchema,
  error: UniqueViolationError,
  isGiven: (property: string) => boolean,
): Problem | undefined {
  if (!isAboutTable(schema, error)) return undefined;
  const violated = violatedColumns(error);
  const { primaryKey } = schema;
  const rules = schema.facts('unique');
  const rule =
    rules.find(({ index }) => index !== undefined && index === error.details.constraint) ??
    rules.find((fact) => fact.index === undefined && sameNames(uniqueColumns(schema, fact), violated)) ??
    (isGiven(primaryKey.property) && sameNames([primaryKey.name], violated) ? keyRule(schema) : undefined);
  return rule && takenProblem(rule);
}

/** The columns that a unique rule is about: the attribute's, then those of its scope. */
export function uniqueColumns(
  schema: ModelSchema,
  { property, scope }: Pick<UniqueFact, 'property' | 'scope'>,
): string[] {
  return [property, ...scope].map((name) => schema.column(name)!.name);
}

/** A primary key that is given, and not made by the database, is unique like an attribute that says so. */
export function keyRule({ primaryKey: { property } }: ModelSchema): UniqueFact {
  return {
    property,
    scope: [],
    isCaseInsensitive: false,
    where: undefined,
    nulls: 'distinct',
    isDeferred: false,
    index: undefined,
    message: 'is taken',
  };
}

const guarded = new WeakMap<ModelSchema, ReadonlySet<string>>();

/**
 * The attributes whose writing a constraint beneath a declared rule may refuse at once, without any check having said
 * so: those that such rules are about, and those that their SQL speaks of.
 */
export function guardedAttributes(schema: ModelSchema): ReadonlySet<string> {
  let found = guarded.get(schema);
  if (!found) {
    const unique = schema.facts('unique').filter(({ isDeferred }) => !isDeferred);
    const checks = schema.facts('check').filter(({ holds }) => holds === undefined);
    const spoken = [...unique.map(({ where = '' }) => where), ...checks.map(({ expression }) => expression)].join(' ');
    const { property: key, initial } = schema.primaryKey;
    found = new Set([
      ...(initial === undefined ? [key] : []), // one that is made anew each time, such as a random one, is free
      ...unique.flatMap(({ property, scope }) => [property, ...scope]),
      ...checks.map(({ property }) => property),
      ...schema.columns.filter(({ name }) => mentions(spoken, name)).map(({ property }) => property),
    ]);
    guarded.set(schema, found);
  }
  return found;
}

/** Whether SQL speaks of a column. Errs on the side of yes: a word in a text counts. */
export function mentions(condition: string, column: string): boolean {
  return new RegExp(`(?<!\\w)${column.replace(/\W/g, '\\$&')}(?!\\w)`, 'i').test(condition);
}

function checkProblem(schema: ModelSchema, error: CheckViolationError): Problem | undefined {
  const rule = schema.facts('check').find(({ property, constraint }) => {
    const name = constraint ?? defaultCheckName(schema, property);
    return name === error.details.constraint;
  });
  return rule && failedCheckProblem(rule);
}

/** What PostgreSQL calls a column's CHECK constraint that is given no name. */
export function defaultCheckName(schema: ModelSchema, property: string): string {
  return `${tableName(schema)}_${schema.column(property)!.name}_check`;
}

/**
 * The columns of the violated key. They stand in the error's detail, `Key (lower(email::text))=(…)`, whatever
 * the language of the rest; expressions are taken down to their column.
 */
export function violatedColumns(error: { readonly cause?: unknown }): string[] {
  const detail = (error.cause as { detail?: string } | undefined)?.detail ?? '';
  const key = /\((.*?)\)=\(/s.exec(detail)?.[1] ?? '';
  return key
    .split(',')
    .map((part) =>
      part
        .trim()
        .replace(/::[\w ]+/g, '')
        .replace(/^\w+\((.*)\)$/, '$1')
        .replace(/[()"]/g, ''),
    )
    .filter((name) => name !== '');
}

function sameNames(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((name) => right.includes(name));
}
