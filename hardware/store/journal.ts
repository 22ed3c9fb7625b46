import type { FileHandle } from 'node:fs/promises';
import { open, rename } from 'node:fs/promises';

interface Pending {
  readonly text: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface Replacement extends Omit<Pending, 'text'> {
  readonly lines: () => readonly string[];
}

/**
 * A file of lines that only grows. Lines that are added while others are written go to the disk together, so that many at
 * once cost little more than one. What failed to be written is cut off again.
 */
export class Journal {
  readonly #path: string;
  #file: FileHandle;
  #bytes: number;
  #lines: number;
  #pending: Pending[] = [];
  #replacement: Replacement | undefined;
  #isWriting = false;
  #idle: Promise<void> = Promise.resolve();

  private constructor(path: string, file: FileHandle, bytes: number, lines: number) {
    this.#path = path;
    this.#file = file;
    this.#bytes = bytes;
    this.#lines = lines;
  }

  /** Puts these lines in place of what was there, all or nothing. */
  static async create(path: string, lines: readonly string[]): Promise<Journal> {
    const { file, bytes } = await writeAnew(path, lines);
    return new Journal(path, file, bytes, lines.length);
  }

  get lines(): number {
    return this.#lines + this.#pending.length;
  }

  /** On the disk when it resolves. */
  append(line: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ text: `${line}\n`, resolve, reject });
      this.#wake();
    });
  }

  /** Puts fewer lines in place of what is there. What is pending then comes after them. */
  replace(lines: () => readonly string[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#replacement = { lines, resolve, reject };
      this.#wake();
    });
  }

  async close(): Promise<void> {
    await this.#idle;
    await this.#file.close();
  }

  #wake(): void {
    if (!this.#isWriting) this.#idle = this.#work();
  }

  async #work(): Promise<void> {
    this.#isWriting = true;
    while (this.#pending.length > 0 || this.#replacement) {
      if (this.#replacement) await this.#replace(this.#replacement);
      await this.#write(this.#pending.splice(0));
    }
    this.#isWriting = false;
  }

  async #write(batch: readonly Pending[]): Promise<void> {
    if (batch.length === 0) return;
    try {
      const content = Buffer.from(batch.map(({ text }) => text).join(''));
      const { bytesWritten } = await this.#file.write(content, 0, content.length, this.#bytes);
      if (bytesWritten < content.length) throw new Error('The disk took a part of it only.');
      await this.#file.datasync();
      this.#bytes += content.length;
      this.#lines += batch.length;
      for (const { resolve } of batch) resolve();
    } catch (error) {
      // Lines that are told to have failed must not come back after a restart.
      const failure: unknown = await this.#file.truncate(this.#bytes).then(
        () => error,
        (worse: unknown) => new AggregateError([error, worse], 'It could not be written, nor cut off.'),
      );
      for (const { reject } of batch) reject(failure);
    }
  }

  async #replace({ lines, resolve, reject }: Replacement): Promise<void> {
    this.#replacement = undefined;
    try {
      const kept = lines();
      const { file, bytes } = await writeAnew(this.#path, kept);
      const old = this.#file;
      [this.#file, this.#bytes, this.#lines] = [file, bytes, kept.length];
      await old.close();
      resolve();
    } catch (error) {
      reject(error);
    }
  }
}

async function writeAnew(path: string, lines: readonly string[]): Promise<{ file: FileHandle; bytes: number }> {
  const draft = `${path}.new`;
  const content = Buffer.from(lines.map((line) => `${line}\n`).join(''));
  const file = await open(draft, 'w', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
    await rename(draft, path);
    return { file, bytes: content.length };
  } catch (error) {
    await file.close();
    throw error;
  }
}
