import { html } from './html';
import type { Html } from './html';

/** What became of a rule, as an audit found it in SQL. */
export interface Finding {
  readonly rule: string;
  /** How many breaches. 0: the rule holds. */
  readonly violations: number;
  /** The first breach, in words; empty when there is none. */
  readonly detail: string;
}

export const allHold = (findings: readonly Finding[]): boolean => findings.every(({ violations }) => violations === 0);

export function describeFindings(findings: readonly Finding[]): string[] {
  return findings.map(({ rule, violations, detail }) =>
    violations === 0 ? `  holds   ${rule}` : `  BROKEN  ${rule}: ${violations} time(s); ${detail}`,
  );
}

export function findingsList(findings: readonly Finding[]): Html {
  return html`<ul class="rules">
    ${findings.map(
      ({ rule, violations, detail }) =>
        html`<li class="${violations === 0 ? 'good' : 'bad'}">
          ${rule}${violations > 0 && html`<br /><small>${violations}×: ${detail}</small>`}
        </li>`,
    )}
  </ul>`;
}
