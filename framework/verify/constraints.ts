import { quotedName } from '../database/quoted-name';
import type { Association } from '../associations/association';
import { associationsOf, parentsOf } from '../associations/association';
import { inverseOf } from '../associations/polymorphic';
import type { ModelSchema } from '../schema/model-schema';
import { defaultCheckName, tableName } from '../validation/constraints';
import type { CatalogTable, Constraint } from './catalog';

import type { Finding } from './finding';

/** The `@Check` rules beneath which no constraint of their name stands. */
export function checkFindings(schema: ModelSchema, table: CatalogTable): Finding[] {
  return schema.facts('check').flatMap(({ property, expression, constraint }): Finding[] => {
    const name = constraint ?? defaultCheckName(schema, property);
    const found = table.constraints.find((each) => each.kind === 'check' && each.name === name);
    if (found?.isValid) return [];
    const [what, sql] = found
      ? [
          `the constraint "${name}" beneath @Check is not valid: rows that break it may be there.`,
          validation(schema, found),
        ]
      : [
          `@Check has no constraint "${name}" check (${expression}).`,
          `alter table ${quotedName(schema.table)} add constraint ${quotedName(name)} check (${expression});`,
        ];
    return [{ kind: 'mismatch', model: schema.name, property, what, sql }];
  });
}

/** The values of an enum that is kept as text. */
export function enumFindings(schema: ModelSchema, table: CatalogTable): Finding[] {
  return schema.columns
    .filter(({ type, name }) => type.name === 'enum' && table.columns.get(name)?.isEnum === false)
    .filter(({ name }) => !table.constraints.some(({ kind, column }) => kind === 'check' && column === name))
    .map(({ property, name }) => ({
      kind: 'loose',
      model: schema.name,
      property,
      what: `the column "${name}" is text, with no check of its values beneath it; raw SQL could put others there.`,
      sql: undefined,
    }));
}

/** The associations beneath which no foreign key stands. */
export function foreignKeyFindings(schema: ModelSchema, catalog: ReadonlyMap<string, CatalogTable>): Finding[] {
  const parents = parentsOf(schema).map((parent) => foreignKeyFinding(parent, schema, '@BelongsTo', catalog));
  // The other side speaks for itself where the key is declared by nobody but it.
  const children = [...associationsOf(schema).values()]
    .filter((association) => association.dependent !== undefined && !inverseOf(association))
    .map((child) => foreignKeyFinding(child, child.target, `dependent: ${child.dependent}`, catalog));
  return [...parents, ...children].filter((finding) => finding !== undefined);
}

function foreignKeyFinding(
  { owner, target, property, foreignKey, kindOf }: Association,
  holder: ModelSchema,
  rule: string,
  catalog: ReadonlyMap<string, CatalogTable>,
): Finding | undefined {
  const constraints = catalog.get(holder.table)?.constraints ?? [];
  const keys = constraints.filter(({ kind, column }) => kind === 'foreign key' && column === foreignKey.name);
  if (keys.some(({ isValid }) => isValid)) return undefined;
  const place = kindOf === 'belongsTo' ? `"${foreignKey.name}"` : `"${foreignKey.name}" of "${holder.table}"`;
  const referred = kindOf === 'belongsTo' ? target : owner;
  const [invalid] = keys;
  return {
    kind: 'loose',
    model: owner.name,
    property,
    what: invalid
      ? `the foreign key on ${place} beneath ${rule} is not valid: rows without a parent may be there.`
      : `no foreign key on ${place} stands beneath ${rule}; raw SQL could break it.`,
    sql: invalid ? validation(holder, invalid) : foreignKeyStatement(holder, foreignKey.name, referred),
  };
}

function foreignKeyStatement(holder: ModelSchema, column: string, { table, primaryKey }: ModelSchema): string {
  const name = quotedName(`${tableName(holder)}_${column}_fkey`);
  const reference = `foreign key (${quotedName(column)}) references ${quotedName(table)} (${quotedName(primaryKey.name)})`;
  return `alter table ${quotedName(holder.table)} add constraint ${name} ${reference};`;
}

function validation(schema: ModelSchema, { name }: Constraint): string {
  return `alter table ${quotedName(schema.table)} validate constraint ${quotedName(name)};`;
}
