import { BellwetherError } from '../core/errors';

/** A transaction would have left a rule over several rows broken. */
export class InvariantViolationError extends BellwetherError {
  override readonly code = 'E_INVARIANT_VIOLATION';
  override readonly recovery = 'fix-the-input';
  declare readonly details: {
    readonly model: string;
    readonly invariant: string;
    /** The attributes that the rule is over. */
    readonly over: readonly string[];
    /** Their values in the groups that break it: one each, or an object each where `over` is a list. */
    readonly groups: readonly unknown[];
  };

  constructor(facts: InvariantViolationError['details']) {
    const { model, invariant, over, groups } = facts;
    const place = over.length === 0 ? '' : `, in ${groups.length} group(s) by ${over.join(' and ')}`;
    super({
      what: `${model} must always keep "${invariant}", and this transaction breaks it${place}; nothing was committed.`,
      remedy: 'Refuse the request; details.groups says where.',
      details: facts,
    });
  }
}
