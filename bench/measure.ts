import { Client } from 'pg';

export interface Measured {
  readonly scenario: string;
  /** What one run takes with the driver alone, in milliseconds. */
  readonly driverMs: number;
  /** To the driver, in the order of the names. */
  readonly ratios: readonly number[];
}

export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The median time of an empty statement, in milliseconds. */
export async function roundTripMs(url: string): Promise<number> {
  const client = new Client({ connectionString: url });
  await client.connect();
  const times: number[] = [];
  for (let index = 0; index < 300; index++) {
    const begunAt = performance.now();
    await client.query('');
    times.push(performance.now() - begunAt);
  }
  await client.end();
  return medianOf(times.slice(100));
}

/** The lines of a Markdown table. */
export function table(names: readonly string[], measured: readonly Measured[]): string[] {
  const rows = measured.map(({ scenario, driverMs, ratios }) => [
    scenario,
    `${driverMs.toFixed(driverMs < 1 ? 3 : 2)} ms`,
    ...ratios.slice(1).map((ratio) => ratio.toFixed(2)),
  ]);
  const head = ['', `${names[0]}, one run`, ...names.slice(1)];
  const widths = head.map((cell, column) => Math.max(cell.length, ...rows.map((row) => row[column]!.length), 3));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join(' | ')} |`;
  const rule = `| ${widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [line(head), rule, ...rows.map(line)];
}
