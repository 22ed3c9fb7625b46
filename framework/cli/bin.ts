#!/usr/bin/env node
import { runProgram } from './program';

// The only place that reads the arguments or sets the exit status.
void runProgram(process.argv.slice(2), {
  print: (line) => void process.stdout.write(`${line}\n`),
  complain: (line) => void process.stderr.write(`${line}\n`),
  env: process.env,
  workingFolder: process.cwd(),
}).then((status) => (process.exitCode = status));
