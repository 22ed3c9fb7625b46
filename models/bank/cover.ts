/**
 * What covers a debit: `own`, only the account that it is taken from; `joint`, the customer's checking and savings
 * account together, so that either may be negative as long as their sum is not.
 */
export const COVERS = ['own', 'joint'] as const;
export type Cover = (typeof COVERS)[number];
