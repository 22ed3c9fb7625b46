import {
  CheckViolationError,
  ForeignKeyViolationError,
  NotNullViolationError,
  UniqueViolationError,
} from '../database/errors';
import type { ModelSchema } from '../schema/model-schema';
import { ValidationError } from './errors';
import type { Problem } from './errors';
import './facts';

/** What a feature says of a violated foreign key: which attribute is wrong, if it is one of its own. */
export type ForeignKeyReader = (schema: ModelSchema, columns: readonly string[]) => Problem | undefined;

/**
 * Turns the violation of a constraint beneath a declared rule into the ValidationError that the rule's own
 * check would have given. A violation of anything undeclared stays what it is: it is a bug, not a bad input.
 */
export function asValidationError(schema: ModelSchema, error: unknown, readForeignKey: ForeignKeyReader): unknown {
  const problem = problemBehind(schema, error, readForeignKey);
  return problem === undefined ? error : new ValidationError(schema.name, [problem], error);
}

function problemBehind(schema: ModelSchema, error: unknown, readForeignKey: ForeignKeyReader): Problem | undefined {
  if (error instanceof UniqueViolationError) return uniqueProblem(schema, error);
  if (error instanceof CheckViolationError) return checkProblem(schema, error);
  if (error instanceof ForeignKeyViolationError) return readForeignKey(schema, violatedColumns(error));
  if (error instanceof NotNullViolationError) {
    const column = schema.columns.find(({ name }) => name === error.details.column);
    return column && { attribute: column.property, code: 'required', message: 'must be given' };
  }
  return undefined;
}

function uniqueProblem(schema: ModelSchema, error: UniqueViolationError): Problem | undefined {
  if (error.details.table !== schema.table) return undefined;
  const violated = violatedColumns(error);
  const rules = schema.facts('unique');
  const rule =
    rules.find(({ index }) => index !== undefined && index === error.details.constraint) ??
    rules.find(({ index, ...fact }) => index === undefined && sameNames(columnsOf(schema, fact), violated));
  return rule && { attribute: rule.property, code: 'taken', message: rule.message };
}

function columnsOf(schema: ModelSchema, { property, scope }: { property: string; scope: readonly string[] }): string[] {
  return [property, ...scope].map((name) => schema.column(name)!.name);
}

function checkProblem(schema: ModelSchema, error: CheckViolationError): Problem | undefined {
  const rule = schema.facts('check').find(({ property, constraint }) => {
    const name = constraint ?? defaultCheckName(schema, property);
    return name === error.details.constraint;
  });
  return rule && { attribute: rule.property, code: 'check', message: rule.message };
}

/** What PostgreSQL calls a column's CHECK constraint that is given no name. */
export function defaultCheckName(schema: ModelSchema, property: string): string {
  return `${schema.table}_${schema.column(property)!.name}_check`;
}

/**
 * The columns of the violated key. They stand in the error's detail, `Key (lower(email::text))=(…)`, whatever
 * the language of the rest; expressions are taken down to their column.
 */
function violatedColumns(error: { readonly cause?: unknown }): string[] {
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
