import type { AttributeConflict } from '../attributes/merge';
import { BellwetherError } from '../core/errors';
import type { ErrorParts } from '../core/errors';

export interface StaleFacts {
  readonly model: string;
  readonly key: unknown;
  readonly isGone: boolean;
  /** Whether the transaction that read the record is run again, so that it sees the row as it is now. */
  readonly isReadAgain?: boolean;
}

/** The row was changed, or has gone, since the record was read: saving would undo what was never seen. */
export class StaleRecordError extends BellwetherError {
  override readonly code: 'E_STALE_RECORD' | 'E_MERGE_CONFLICT' | 'E_PRECONDITION_FAILED' = 'E_STALE_RECORD';
  override readonly recovery: 'reload' | 'retry-transaction';

  constructor(facts: StaleFacts, parts?: Pick<ErrorParts, 'what' | 'remedy' | 'details'>) {
    const { model, isGone } = facts;
    const key = String(facts.key);
    super({
      what: `${model} ${key} was ${isGone ? 'deleted' : 'changed'} by somebody else since it was read; nothing was written.`,
      remedy: isGone
        ? 'Drop the record; its row is no longer there.'
        : 'Reload it and decide again, or read it inside the transaction that saves it.',
      ...parts,
      details: { model, key, isGone, ...parts?.details },
    });
    this.recovery = facts.isReadAgain ? 'retry-transaction' : 'reload';
  }
}

/** Somebody else changed the same attributes to other values since the record was read, so the two cannot be merged. */
export class MergeConflictError extends StaleRecordError {
  override readonly code = 'E_MERGE_CONFLICT';
  /** By attribute: the value that was read, the one to be saved, and the one that the row has now. */
  readonly conflicts: Readonly<Record<string, AttributeConflict>>;

  constructor(model: string, key: unknown, conflicts: Readonly<Record<string, AttributeConflict>>) {
    const names = Object.keys(conflicts);
    super(
      { model, key, isGone: false },
      {
        what: `${model} ${String(key)} has another ${names.join(', ')} by now, which somebody else changed too; nothing was written.`,
        remedy: 'Show both values, which details.conflicts has by attribute, and let somebody choose after a reload.',
        details: { conflicts },
      },
    );
    this.conflicts = conflicts;
  }
}

/** The request is meant for another state of the record: HTTP's 412. */
export class PreconditionFailedError extends StaleRecordError {
  override readonly code = 'E_PRECONDITION_FAILED';

  constructor(model: string, key: unknown) {
    super(
      { model, key, isGone: false },
      {
        what: `${model} ${String(key)} is not in the state that If-Match names; nothing was written.`,
        remedy: 'Answer with status 412; the client reads the record again and decides again.',
        details: { status: 412 },
      },
    );
  }
}

/** A header of the request is not written as RFC 9110 says: HTTP's 400. */
export class MalformedHeaderError extends BellwetherError {
  override readonly code = 'E_MALFORMED_HEADER';
  override readonly recovery = 'fix-the-input';

  constructor(header: string) {
    super({
      what: `The header ${header} is neither * nor a list of entity tags in double quotes.`,
      remedy: 'Answer with status 400; send the ETag as it was received, its quotes included.',
      details: { header, status: 400 },
    });
  }
}

/** A version was named for a record of a model that counts none. */
export class NoVersionError extends BellwetherError {
  override readonly code = 'E_NO_VERSION';
  override readonly recovery = 'fix-the-code';

  constructor(model: string) {
    super({
      what: `${model} has no version that ifVersion could be compared with.`,
      remedy: 'Give it an attribute with @Version(), or hand out etagOf(record) and check it with assertIfMatch.',
      details: { model },
    });
  }
}

/** An attribute that the framework alone sets was given a value. */
export class ReadonlyAttributeError extends BellwetherError {
  override readonly code = 'E_READONLY_ATTRIBUTE';
  override readonly recovery = 'fix-the-code';

  constructor(model: string, attribute: string) {
    super({
      what: `${model}.${attribute} is the record's version, which is counted by itself and cannot be assigned.`,
      remedy: 'Leave it out; to save only a record of a certain version, say save({ ifVersion }).',
      details: { model, attribute },
    });
  }
}

export class RecordDestroyedError extends BellwetherError {
  override readonly code = 'E_RECORD_DESTROYED';
  override readonly recovery = 'fix-the-code';

  constructor(model: string, method: string) {
    super({
      what: `${method} was called on a ${model} that is destroyed.`,
      remedy: 'Make a new record instead.',
      details: { model, method },
    });
  }
}

export class RecordNotSavedError extends BellwetherError {
  override readonly code = 'E_RECORD_NOT_SAVED';
  override readonly recovery = 'fix-the-code';

  constructor(model: string, method: string) {
    super({
      what: `${method} was called on a ${model} that has not been saved, so it has no row.`,
      remedy: 'Save it first.',
      details: { model, method },
    });
  }
}

/** Locking reads the row again, which would lose what was assigned to the record. */
export class RecordChangedError extends BellwetherError {
  override readonly code = 'E_RECORD_CHANGED';
  override readonly recovery = 'fix-the-code';

  constructor(model: string, method: string, attributes: readonly string[]) {
    super({
      what: `${method} was called on a ${model} with unsaved changes (${attributes.join(', ')}), which reading it again would lose.`,
      remedy: 'Lock first, then assign; or save() or reload() before the lock.',
      details: { model, method, attributes },
    });
  }
}

export class UnknownAttributeError extends BellwetherError {
  override readonly code = 'E_UNKNOWN_ATTRIBUTE';
  override readonly recovery = 'fix-the-code';

  constructor(model: string, names: readonly string[], known: readonly string[]) {
    super({
      what: `${model} has no attribute ${names.map((name) => `"${name}"`).join(', ')}.`,
      remedy: `Give it some of ${known.join(', ')}; pick the wanted ones from foreign input by name.`,
      details: { model, names },
    });
  }
}

/** A class field hides the attribute of the same name. */
export class ShadowedAttributeError extends BellwetherError {
  override readonly code = 'E_SHADOWED_ATTRIBUTE';
  override readonly recovery = 'fix-the-code';

  constructor(model: string, properties: readonly string[]) {
    super({
      what: `${model}: the class field${properties.length > 1 ? 's' : ''} ${properties.join(', ')} hide${properties.length > 1 ? '' : 's'} the attribute of that name.`,
      remedy: `Write it with declare, as in \`declare ${properties[0]}: …\`, and set "useDefineForClassFields": false.`,
      details: { model, properties },
    });
  }
}

/** Nothing stands beneath the rule by which rows are to be told from those that are there. */
export class UnindexedRuleError extends BellwetherError {
  override readonly code = 'E_UNINDEXED_RULE';
  override readonly recovery = 'fix-the-setup';

  constructor(model: string, attributes: readonly string[], cause: unknown) {
    super({
      what: `${model}: no unique index is beneath the rule over ${attributes.join(', ')}.`,
      remedy: 'Put it there; `bellwether db verify` prints the SQL.',
      details: { model, attributes },
      cause,
    });
  }
}

/** Rows are to be told from others by a key that no rule makes unique. */
export class NoUniqueRuleError extends BellwetherError {
  override readonly code = 'E_NO_UNIQUE_RULE';
  override readonly recovery = 'fix-the-code';

  constructor(model: string, attributes: readonly string[]) {
    super({
      what: `${model} has no @Unique rule over ${attributes.join(', ') || 'nothing'}; two callers at once could both create such a row.`,
      remedy:
        'Give exactly the attributes of a @Unique rule; to findOrCreateBy none of them null, and all others as values. The rule cannot be deferred.',
      details: { model, attributes },
    });
  }
}
