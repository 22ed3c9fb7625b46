/**
 * Freezes a JSON value or an array in depth, so that a change in place, which dirty tracking could not see,
 * throws a TypeError instead. Dates and buffers inside cannot be frozen and are left as they are.
 */
export function deepFreeze<T>(value: T): T {
  if (!isContainer(value) || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}

/**
 * A frozen copy in depth, so that the giver can go on changing what was given. Keys whose value is undefined are left
 * out, as JSON leaves them out. A value that refers to itself is given back as it is: no column can hold it.
 */
export function frozenCopy(value: unknown, around: readonly unknown[] = []): unknown {
  if (!isContainer(value)) return value;
  if (around.includes(value)) return value;
  const within = [...around, value];
  if (Array.isArray(value)) return Object.freeze(value.map((item) => frozenCopy(item, within)));
  // One without a prototype gets the usual one, as what is read from JSON has, so that the two compare as equal.
  const copy = Object.create((Object.getPrototypeOf(value) ?? Object.prototype) as object) as Record<string, unknown>;
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue;
    // Not by assignment, which would take a key "__proto__" for the prototype.
    Object.defineProperty(copy, key, { value: frozenCopy(item, within), enumerable: true });
  }
  return Object.freeze(copy);
}

/** Arrays and objects; not those that say themselves what they are in JSON, as dates, decimals and buffers do. */
function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !('toJSON' in value) && !ArrayBuffer.isView(value);
}
