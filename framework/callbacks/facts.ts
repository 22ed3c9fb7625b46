/** The stretches of a record's life that callbacks can stand around. */
export const STAGES = ['validation', 'save', 'create', 'update', 'destroy'] as const;
export type Stage = (typeof STAGES)[number];
export type Moment = 'before' | 'after' | 'around';
/** What a finished transaction did to the record. */
export type Deed = 'create' | 'update' | 'destroy';

export interface CallbackFact {
  readonly moment: Moment;
  readonly stage: Stage;
  readonly method: string;
  readonly when: ((record: object) => boolean) | undefined;
}

export interface OutcomeCallbackFact {
  readonly outcome: 'commit' | 'rollback';
  readonly on: readonly Deed[];
  readonly method: string;
}

declare module '../schema/facts' {
  interface FactSlots {
    callback: CallbackFact;
    outcomeCallback: OutcomeCallbackFact;
  }
}
