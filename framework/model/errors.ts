import { BellwetherError } from '../core/errors';

/** The row was changed, or has gone, since the record was read: saving would undo what was never seen. */
export class StaleRecordError extends BellwetherError {
  override readonly code = 'E_STALE_RECORD';
  override readonly recovery = 'reload';

  constructor(model: string, key: unknown, isGone: boolean) {
    super({
      what: `${model} ${String(key)} was ${isGone ? 'deleted' : 'changed'} by somebody else since it was read; nothing was written.`,
      remedy: isGone
        ? 'Drop the record; its row is no longer there.'
        : 'Reload it and decide again, or read it inside the transaction that saves it.',
      details: { model, key: String(key), isGone },
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
