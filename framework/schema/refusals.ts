// Why a value cannot be one of a column type, as the end of a sentence; undefined when it can.

const EARLIEST = Date.UTC(-4712, 0, 1); // PostgreSQL manual, table 8.9: timestamps begin at 4713 BC
const BEFORE_ALL = -8.64e15; // stands for -infinity

export function textRefusal(value: unknown): string | undefined {
  if (typeof value !== 'string') return 'must be text';
  // PostgreSQL manual, section 8.3: "The character with code zero cannot be in a string."
  if (value.includes('\0')) return 'must not contain a null character';
  // Half of a surrogate pair has no UTF-8 form: the driver would silently send another character.
  return /\p{Surrogate}/u.test(value) ? 'must be well-formed Unicode' : undefined;
}

/** What rounds to zero or to infinity in 32 bits is refused, as the server would. */
export function realRefusal(value: unknown): string | undefined {
  if (typeof value !== 'number') return 'must be a number';
  const rounded = Math.fround(value);
  return (rounded === 0 && value !== 0) || (Math.abs(rounded) === Infinity && Number.isFinite(value))
    ? 'is out of range'
    : undefined;
}

export function timestamptzRefusal(value: unknown): string | undefined {
  if (!(value instanceof Date) || Number.isNaN(value.getTime())) return 'must be a valid date';
  return value.getTime() < EARLIEST && value.getTime() !== BEFORE_ALL ? 'is out of range' : undefined;
}

/** Also refuses what `JSON.stringify` would silently leave out or turn into null. */
export function jsonRefusal(value: unknown): string | undefined {
  let inside: string | undefined;
  const look = (key: string, item: unknown): unknown => {
    inside ??= textInJson(key) ?? insideJson(item);
    return item;
  };
  try {
    if (JSON.stringify(value, look) === undefined) return 'must be a JSON value';
  } catch (error) {
    return `must be a JSON value: ${(error as Error).message.split('\n')[0]}`;
  }
  return inside && `must be a JSON value: ${inside}`;
}

function insideJson(item: unknown): string | undefined {
  switch (typeof item) {
    case 'string':
      return textInJson(item);
    case 'number':
      return Number.isFinite(item) ? undefined : `it holds ${item}`;
    case 'function':
    case 'symbol':
      return `it holds a ${typeof item}`;
    default:
      return undefined;
  }
}

function textInJson(text: string): string | undefined {
  const refusal = textRefusal(text);
  return refusal && `its text ${refusal}`;
}
