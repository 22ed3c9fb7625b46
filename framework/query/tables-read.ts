import type { OperationNode, RawNode, TableNode } from 'kysely';

/** Where a table is named without being read: columns of it, what is locked of it, a name for a part of the query. */
const MENTIONS: readonly string[] = ['ReferenceNode', 'SelectModifierNode', 'CommonTableExpressionNameNode'];

/** Words of SQL behind which tables stand, and where they do not. */
const READS = /\b(from|join|table)\b/i;
const NO_READS = /\bdistinct\s+from\b|\b(extract|substring|trim|overlay|position)\s*\([^()]*\bfrom\b/gi;

/**
 * The tables that a query reads, as far as they can be told: what a function reads by itself cannot.
 *
 * @returns undefined when they cannot be known, since it is written as text
 */
export function tablesRead(query: OperationNode): ReadonlySet<string> | undefined {
  const tables = new Set<string>();
  const named = new Set<string>();
  if (!collect(query, tables, named)) return undefined;
  for (const name of named) tables.delete(name);
  return tables;
}

function collect(node: unknown, tables: Set<string>, named: Set<string>): boolean {
  if (typeof node !== 'object' || node === null) return true;
  if (Array.isArray(node)) return node.every((each) => collect(each, tables, named));
  const { kind } = node as Partial<OperationNode>;
  if (kind === 'RawNode' && (node as RawNode).sqlFragments.some(readsByText)) return false;
  if (kind === 'TableNode') tables.add(nameOf(node as TableNode));
  if (kind === 'CommonTableExpressionNameNode') named.add(nameOf((node as { table: TableNode }).table));
  if (kind === 'ValueNode' || kind === 'PrimitiveValueListNode' || MENTIONS.includes(kind ?? '')) return true;
  return Object.values(node).every((part) => collect(part, tables, named));
}

function readsByText(text: string): boolean {
  return READS.test(text.replace(NO_READS, ''));
}

function nameOf({ table: { schema, identifier } }: TableNode): string {
  return schema ? `${schema.name}.${identifier.name}` : identifier.name;
}
