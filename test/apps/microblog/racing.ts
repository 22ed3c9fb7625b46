/** How concurrent operations ended: how many were done, and the codes of the others, in the order of the operations. */
export interface Settled {
  readonly done: number;
  readonly codes: readonly string[];
}

export async function race(...operations: readonly Promise<unknown>[]): Promise<Settled> {
  const settled = await Promise.allSettled(operations);
  const errors = settled.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  return { done: settled.length - errors.length, codes: errors.map(codeOf) };
}

/** With what was wrong with which attribute, for a validation. */
function codeOf(error: unknown): string {
  const { code, problems } = error as { code?: string; problems?: readonly { attribute: string; code: string }[] };
  if (problems) return problems.map((problem) => `${problem.attribute}: ${problem.code}`).join(', ');
  return code ?? `a bug: ${String(error)}`;
}

export async function everyRound(rounds: number, round: () => Promise<void>): Promise<void> {
  for (let n = 0; n < rounds; n++) await round();
}

/** An unsafe twin gets as many rounds as it takes, within reason. */
export async function someRound(most: number, breaks: () => Promise<boolean>): Promise<void> {
  for (let n = 0; n < most; n++) if (await breaks()) return;
  throw new Error(`the rule was kept in all of ${most} rounds`);
}
