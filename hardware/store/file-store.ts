import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Ring } from '../bell/ring';
import type { Accepted } from '../bell/ring-store';
import { StoreSetupError } from './errors';
import { lockFile } from './file-lock';
import { Journal } from './journal';
import { MemoryStore, RememberedRings } from './memory-store';
import type { KeptRing } from './memory-store';

export interface FileStoreOptions {
  readonly path: string;
  readonly remember: number;
  /** Hears of what is wrong and does not stop it. */
  readonly onWarning: (text: string, cause?: unknown) => void;
}

/** The first line, so that no other file is taken for a store and overwritten. */
const HEADER = JSON.stringify({ bellbot: 'rings', version: 1 });
const SPARE_LINES = 1000;

/** A line: a ring that was accepted, or what became of it. */
type Line = KeptRing | { readonly id: string; readonly became: Outcome };
type Outcome = Pick<Ring, 'status' | 'finishedAt' | 'error'>;

/** In memory, and in a file that this process alone uses. */
export class FileStore extends MemoryStore {
  override readonly isDurable = true;
  override readonly where: string;
  readonly #options: FileStoreOptions;
  readonly #journal: Journal;
  readonly #unlock: () => void;
  #compactAt: number;

  private constructor(options: FileStoreOptions, rings: RememberedRings, journal: Journal, unlock: () => void) {
    super(options, rings);
    this.where = options.path;
    this.#options = options;
    this.#journal = journal;
    this.#unlock = unlock;
    this.#compactAt = this.#nextCompaction();
  }

  /** @throws StoreSetupError */
  static async open(options: FileStoreOptions): Promise<FileStore> {
    const { path, remember } = options;
    const rings = new RememberedRings(remember);
    try {
      await makeFolder(dirname(path));
      const unlock = lockFile(`${path}.lock`, path);
      try {
        await load(options, rings);
        const journal = await Journal.create(path, linesOf(rings));
        return new FileStore(options, rings, journal, unlock);
      } catch (error) {
        unlock();
        throw error;
      }
    } catch (error) {
      if (error instanceof StoreSetupError) throw error;
      throw new StoreSetupError({
        what: `The store ${path} cannot be used (${(error as NodeJS.ErrnoException).code ?? 'unknown'}).`,
        remedy: 'Name a file that may be written with --store, or say --store memory, which forgets all at the end.',
        cause: error,
      });
    }
  }

  override async accept(ring: Ring, key: string | undefined): Promise<Accepted> {
    const accepted = await super.accept(ring, key);
    if (accepted.replayed) return accepted;
    try {
      await this.#append({ ring, key });
      return accepted;
    } catch (error) {
      this.rings.remove(ring.id);
      throw error;
    }
  }

  override async record(ring: Ring): Promise<void> {
    await super.record(ring);
    const { id, status, finishedAt, error } = ring;
    await this.#append({ id, became: { status, finishedAt, error } });
  }

  override async close(): Promise<void> {
    await this.#journal.close();
    this.#unlock();
  }

  async #append(line: Line): Promise<void> {
    if (this.#journal.lines >= this.#compactAt) {
      this.#compactAt = Infinity;
      this.#journal
        .replace(() => linesOf(this.rings))
        .catch((error: unknown) => this.#options.onWarning(`The store ${this.where} could not be made smaller.`, error))
        .finally(() => (this.#compactAt = this.#nextCompaction()));
    }
    await this.#journal.append(JSON.stringify(line));
  }

  /** A ring takes three lines; when there are about twice as many as needed, the file is written anew. */
  #nextCompaction(): number {
    return this.#journal.lines + this.#options.remember * 3 + SPARE_LINES;
  }
}

const linesOf = (rings: RememberedRings) => [HEADER, ...rings.all().map((kept) => JSON.stringify(kept satisfies Line))];

async function load({ path, onWarning }: FileStoreOptions, rings: RememberedRings): Promise<void> {
  const content = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  if (content === '') return;
  const [header, ...lines] = content.split('\n');
  if (header !== HEADER) {
    throw new StoreSetupError({
      what: `The file ${path} is no store of BellBot's, so it is left alone.`,
      remedy: 'Name another file with --store.',
    });
  }
  const last = lines.pop(); // empty, or cut by a crash while it was written, and so not promised to anybody
  const damaged = lines.filter((line) => !take(line, rings)).length;
  if (last) take(last, rings);
  if (damaged === 0) return;
  await copyFile(path, `${path}.damaged`);
  onWarning(
    `${damaged} lines of the store ${path} cannot be read and are left out; the whole is kept in ${path}.damaged.`,
  );
}

/** Step by step, since Node's recursive way never ends where nothing can be made, as below /proc. */
async function makeFolder(path: string): Promise<void> {
  const make = () => mkdir(path, { mode: 0o700 });
  try {
    await make().catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT' || dirname(path) === path) throw error;
      await makeFolder(dirname(path));
      await make();
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** @returns whether the line can be read */
function take(text: string, rings: RememberedRings): boolean {
  try {
    const line = JSON.parse(text) as Line;
    if ('ring' in line) {
      rings.add(line);
    } else {
      const before = rings.find(line.id);
      if (before) rings.change({ ...before, ...line.became });
    }
    return true;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return false;
    throw error;
  }
}
