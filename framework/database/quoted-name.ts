/** `shop.items` names a table in a schema, as in statements. */
export function quotedName(name: string): string {
  return name
    .split('.')
    .map((part) => `"${part.replace(/"/g, '""')}"`)
    .join('.');
}
