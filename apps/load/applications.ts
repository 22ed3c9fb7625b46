import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SAMPLES } from '../catalogue';
import type { Mix, SeedOptions } from './mix';

/** Applications that have a module of this name, by the files that are built. */
export function applicationsWith(module: 'mix' | 'seed'): string[] {
  return SAMPLES.map(({ name }) => name).filter((name) => existsSync(pathOf(name, module)));
}

export async function mixOf(name: string): Promise<Mix> {
  return ((await import(pathOf(name, 'mix'))) as { mix: Mix }).mix;
}

export async function seedOf(name: string): Promise<((options: SeedOptions) => Promise<unknown>) | undefined> {
  return ((await import(pathOf(name, 'seed'))) as { seed?: (options: SeedOptions) => Promise<unknown> }).seed;
}

const pathOf = (name: string, module: string): string => join(__dirname, '..', name, `${module}.js`);
