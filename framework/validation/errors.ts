import { BellwetherError } from '../core/errors';

/** One thing that is wrong with a record. */
export interface Problem {
  /** The attribute or association; `base` for the record as a whole. */
  readonly attribute: string;
  /** For programs, such as `taken`, `required`, or the name of a class-validator rule. */
  readonly code: string;
  /** For people, to stand after the attribute's name: "is taken". */
  readonly message: string;
  /** Which of several rows that were to be written at once, counted from 0; not there where it cannot be told. */
  readonly index?: number;
}

/** What is wrong with a record, by attribute. */
export class RecordErrors {
  #problems: readonly Problem[] = [];

  get isEmpty(): boolean {
    return this.#problems.length === 0;
  }

  get all(): readonly Problem[] {
    return this.#problems;
  }

  /** The messages for one attribute. */
  on(attribute: string): readonly string[] {
    return this.#problems.filter((problem) => problem.attribute === attribute).map((problem) => problem.message);
  }

  /** The codes for one attribute. */
  codes(attribute: string): readonly string[] {
    return this.#problems.filter((problem) => problem.attribute === attribute).map((problem) => problem.code);
  }

  /** Whole sentences. */
  get messages(): readonly string[] {
    return this.#problems.map(sentence);
  }

  /** @param attribute `base` for the record as a whole */
  add(attribute: string, message: string, code = 'invalid'): void {
    this.#problems = [...this.#problems, { attribute, message, code }];
  }

  /** @internal */
  replace(problems: readonly Problem[]): void {
    this.#problems = problems;
  }

  /** Attribute to messages. */
  toJSON(): Record<string, readonly string[]> {
    const attributes = [...new Set(this.#problems.map((problem) => problem.attribute))];
    return Object.fromEntries(attributes.map((attribute) => [attribute, this.on(attribute)]));
  }
}

/** The record was refused: by a validation, or by the constraint beneath one. Both look the same. */
export class ValidationError extends BellwetherError {
  override readonly code = 'E_VALIDATION';
  override readonly recovery = 'fix-the-input';
  readonly problems: readonly Problem[];

  constructor(model: string, problems: readonly Problem[], cause?: unknown) {
    super({
      what: `${model} is not valid: ${listed(problems)}.`,
      remedy: 'Show the reasons to whoever sent the values; errors of the record has them by attribute.',
      details: { model, problems },
      ...(cause !== undefined && { cause }),
    });
    this.problems = problems;
  }

  /** The messages for one attribute. */
  on(attribute: string): readonly string[] {
    return this.problems.filter((problem) => problem.attribute === attribute).map((problem) => problem.message);
  }
}

function sentence({ attribute, message, index }: Problem): string {
  const row = index === undefined ? '' : `row ${index}: `;
  return attribute === 'base' ? `${row}${message}` : `${row}${attribute} ${message}`;
}

/** Many rows may be wrong; a message is to be read. */
const MOST_TOLD = 10;

function listed(problems: readonly Problem[]): string {
  const more = problems.length - MOST_TOLD;
  return [...problems.slice(0, MOST_TOLD).map(sentence), ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}
