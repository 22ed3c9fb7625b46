import { sql } from 'kysely';
import type { Expression, RawBuilder, SqlBool } from 'kysely';
import type { Column, ModelSchema } from '../schema/model-schema';
import { textRefusal } from '../schema/refusals';
import type { Binder } from './compiler';
import type { Condition, Operator } from './conditions';
import { OPERATORS } from './conditions';
import { InvalidOperandError, InvalidQueryError } from './errors';
import type { Direction } from './ordering';
import { valueOf } from './reading';

/**
 * The shape of a condition: all of it but its values, which are added to `values`, encoded, in the order in
 * which {@link conditionSql} binds them. The two walk the tree alike.
 */
export function conditionShape(schema: ModelSchema, condition: Condition, values: unknown[]): string {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return `${condition.kind}(${condition.parts.map((part) => conditionShape(schema, part, values)).join(',')})`;
    case 'not':
      return `not(${conditionShape(schema, condition.part, values)})`;
    case 'compare': {
      const { property, operator, value } = condition;
      const form = formOf(operator, value, columnOf(schema, property));
      if (form !== 'null' && form !== 'not null') values.push(encodeOperand(schema, condition, form));
      return `${property} ${form}`;
    }
    case 'beyond':
      values.push(...condition.cells);
      return `beyond(${condition.order.map(({ property, direction }) => `${property} ${direction}`).join(',')})`;
  }
}

export function conditionSql(schema: ModelSchema, condition: Condition, binder: Binder): Expression<SqlBool> {
  switch (condition.kind) {
    case 'and':
    case 'or': {
      if (condition.parts.length === 0) return condition.kind === 'and' ? sql<SqlBool>`true` : sql<SqlBool>`false`;
      const parts = condition.parts.map((part) => conditionSql(schema, part, binder));
      return sql<SqlBool>`(${sql.join(parts, condition.kind === 'and' ? sql` and ` : sql` or `)})`;
    }
    case 'not':
      return sql<SqlBool>`not ${conditionSql(schema, condition.part, binder)}`;
    case 'compare': {
      const column = columnOf(schema, condition.property);
      const form = formOf(condition.operator, condition.value, column);
      const name = valueOf(schema, column);
      if (form === 'null') return sql<SqlBool>`(${name} is null)`;
      if (form === 'not null') return sql<SqlBool>`(${name} is not null)`;
      const bound = binder.bind(encodeOperand(schema, condition, form));
      return column.type.name === 'citext' ? foldedComparison(name, form, bound) : comparison(name, form, bound);
    }
    case 'beyond':
      return beyondSql(
        condition.order.map(({ property, direction }, index) => ({
          name: valueOf(schema, columnOf(schema, property)),
          sign: sql.raw(direction === 'asc' ? '>' : '<'),
          direction,
          cell: sql`${binder.bind(condition.cells[index])}`,
        })),
      );
  }
}

interface Bound {
  readonly name: RawBuilder<unknown>;
  readonly sign: RawBuilder<unknown>;
  readonly direction: Direction;
  readonly cell: RawBuilder<unknown>;
}

/** In one direction a row comparison, which an index answers as one range (manual, section 9.25.5); else step by step. */
function beyondSql(bounds: readonly Bound[]): Expression<SqlBool> {
  const [{ name, sign, direction, cell }, ...rest] = bounds as [Bound, ...Bound[]];
  if (rest.every((other) => other.direction === direction)) {
    const [names, cells] = [bounds.map((bound) => bound.name), bounds.map((bound) => bound.cell)];
    return sql<SqlBool>`((${sql.join(names)}) ${sign} (${sql.join(cells)}))`;
  }
  return sql<SqlBool>`(${name} ${sign}= ${cell} and (${name} ${sign} ${cell} or ${beyondSql(rest)}))`;
}

type Form = 'null' | 'not null' | 'any' | 'none' | Exclude<Operator, 'in' | 'not in' | 'is' | 'is not'>;

/** Lists and nulls have forms of their own, since SQL's `= null` is never true. */
function formOf(operator: Operator, value: unknown, column: Column): Form {
  if (!OPERATORS.includes(operator)) {
    throw new InvalidQueryError({
      what: `"${String(operator)}" is no operator.`,
      remedy: `Use one of ${OPERATORS.join(', ')}; for others, whereSql(…) or kysely().`,
    });
  }
  if (value === undefined) {
    throw new InvalidQueryError({
      what: `The condition on ${column.property} has the value undefined.`,
      remedy: 'Leave the condition out, or give null where null is meant.',
    });
  }
  if (operator === 'in' || operator === 'not in') {
    assertListable(operator, value, column);
    return operator === 'in' ? 'any' : 'none';
  }
  if (value === null && (operator === '=' || operator === 'is')) return 'null';
  if (value === null && (operator === '!=' || operator === 'is not')) return 'not null';
  if (operator === 'is' || operator === 'is not') {
    throw new InvalidQueryError({ what: `"${operator}" compares with null only.`, remedy: 'Use = or !=.' });
  }
  if ((operator === 'like' || operator === 'ilike') && !TEXTS.includes(column.type.name)) {
    throw new InvalidQueryError({
      what: `"${operator}" compares texts, and ${column.property} is ${column.type.name}.`,
      remedy: 'Use another operator, or whereSql(…) with a cast.',
    });
  }
  return operator;
}

const TEXTS: readonly string[] = ['text', 'varchar', 'citext'];

function assertListable(operator: Operator, value: unknown, { property, type }: Column): void {
  if (type.name.endsWith('[]')) {
    throw new InvalidQueryError({
      what: `"${operator}" cannot look for the whole list that ${property} holds among others.`,
      remedy: 'Combine = with or, or use whereSql(…).',
    });
  }
  if (!Array.isArray(value)) {
    throw new InvalidQueryError({ what: `"${operator}" needs a list for ${property}.`, remedy: 'Give an array.' });
  }
}

type Comparison = Extract<Condition, { kind: 'compare' }>;

function encodeOperand(schema: ModelSchema, { property, value }: Comparison, form: Form): unknown {
  const { type } = columnOf(schema, property);
  const isPattern = form === 'like' || form === 'ilike';
  const refusalOf = (item: unknown) => {
    if (item === null) return 'cannot be compared so with null';
    return isPattern ? textRefusal(item) : type.refusal(item);
  };
  const encode = (item: unknown): unknown => {
    const refusal = refusalOf(item);
    if (refusal !== undefined) throw new InvalidOperandError(schema.name, property, refusal);
    return type.encode(item);
  };
  return form === 'any' || form === 'none' ? (value as unknown[]).map(encode) : encode(value);
}

function comparison(name: RawBuilder<unknown>, form: Form, bound: unknown): RawBuilder<SqlBool> {
  if (form === 'any') return sql<SqlBool>`(${name} = any(${bound}))`;
  if (form === 'none') return sql<SqlBool>`(${name} <> all(${bound}))`;
  return sql<SqlBool>`(${name} ${sql.raw(form)} ${bound})`;
}

/** Case-insensitive: the server folds both sides, so that both are folded by the same rules. */
function foldedComparison(name: RawBuilder<unknown>, form: Form, bound: unknown): RawBuilder<SqlBool> {
  const folded = sql`lower(${name})`;
  const list = sql`(select lower(item) from unnest(${bound}::text[]) as item)`;
  if (form === 'any') return sql<SqlBool>`(${folded} in ${list})`;
  if (form === 'none') return sql<SqlBool>`(${folded} not in ${list})`;
  return sql<SqlBool>`(${folded} ${sql.raw(form)} lower(${bound}))`;
}

export function columnOf(schema: ModelSchema, property: string): Column {
  const column = schema.column(property);
  if (column) return column;
  const isVirtual = schema.virtuals.includes(property);
  throw new InvalidQueryError({
    what: `${schema.name} has no column for "${property}"${isVirtual ? ': it is a @Virtual attribute' : ''}.`,
    remedy: `Use one of ${schema.columns.map((column) => column.property).join(', ')}.`,
    details: { model: schema.name, property },
  });
}
