import type { Column } from '../schema/model-schema';

/** The values of a row's attributes, by property. */
export type RowValues = Readonly<Record<string, unknown>>;

/** Of a row as a statement returned it, as texts: the values of `columns`, once or more, one after the other. */
export function rowsOfTexts(columns: readonly Column[], rows: readonly unknown[][]): RowValues[] {
  if (columns.length === 0) return [];
  return rows.flatMap((row) =>
    Array.from({ length: row.length / columns.length }, (_, round) =>
      Object.fromEntries(
        columns.map((column, at) => [column.property, parsed(column, row[round * columns.length + at])]),
      ),
    ),
  );
}

function parsed({ type }: Column, text: unknown): unknown {
  return text === null ? null : type.parse(text as string);
}
