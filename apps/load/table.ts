import { createHistogram } from 'node:perf_hooks';
import type { ActionReport, LoadReport } from './clients';

/** The report as lines of text. */
export function describeReport({ actions, retries, samples }: LoadReport, seconds: number): string[] {
  const rows = Object.entries(actions).sort(([one], [other]) => (one < other ? -1 : 1));
  const width = Math.max(9, ...rows.map(([name]) => name.length)) + 2;
  const head = ['done', 'per s', 'p50', 'p95', 'p99', 'max ms', 'refused', 'failed'];
  const line = (name: string, cells: readonly (string | number)[]) =>
    name.padEnd(width) + cells.map((cell) => String(cell).padStart(9)).join('');
  const done = sum(rows.map(([, { tookMs }]) => tookMs.length));
  return [
    line('action', head),
    ...rows.map(([name, report]) => line(name, cellsOf(report, seconds))),
    line('all', [done, (done / seconds).toFixed(0)]),
    '',
    ...listOf(
      'Refused by a rule',
      rows.map(([, { refused }]) => refused),
    ),
    ...listOf('Run again, as PostgreSQL asked', [retries]),
    ...listOf(
      'FAILED',
      rows.map(([, { failed }]) => failed),
    ),
    ...Object.values(samples).map((sample) => `  ${sample}`),
  ];
}

/** Failures of all actions. */
export const failuresIn = ({ actions }: LoadReport): number =>
  sum(Object.values(actions).flatMap(({ failed }) => Object.values(failed)));

function cellsOf({ tookMs, refused, failed }: ActionReport, seconds: number): (string | number)[] {
  const counted = [sum(Object.values(refused)), sum(Object.values(failed))];
  const { length } = tookMs;
  if (length === 0) return [0, 0, '', '', '', '', ...counted];
  const histogram = createHistogram();
  for (const took of tookMs) histogram.record(Math.max(1, Math.round(took * 1000))); // whole microseconds
  const at = (percentile: number) => (histogram.percentile(percentile) / 1000).toFixed(1);
  return [length, (length / seconds).toFixed(0), at(50), at(95), at(99), (histogram.max / 1000).toFixed(1), ...counted];
}

function listOf(title: string, counts: readonly Readonly<Record<string, number>>[]): string[] {
  const all = new Map<string, number>();
  for (const [code, times] of counts.flatMap((each) => Object.entries(each)))
    all.set(code, (all.get(code) ?? 0) + times);
  if (all.size === 0) return [];
  return [`${title}:`, ...[...all].map(([code, times]) => `  ${code}  ${times}`)];
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
