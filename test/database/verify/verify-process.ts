import { runProgram } from '../../../framework/cli/program';

/** Runs the tool in a process of its own: models are loaded by node's own means, which jest replaces. */
export async function main(folder: string, ...args: string[]): Promise<void> {
  const lines = { printed: [] as string[], complaints: [] as string[] };
  const status = await runProgram(args, {
    print: (line) => void lines.printed.push(line),
    complain: (line) => void lines.complaints.push(line),
    env: process.env,
    workingFolder: folder,
  });
  process.send!({ status, printed: lines.printed.join('\n'), complaints: lines.complaints.join('\n') }, () =>
    process.disconnect(),
  );
}
