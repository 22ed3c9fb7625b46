import type { Notes } from './notes';
import { Topic } from './notes';

/**
 * Work that a transaction does once its body is through and before COMMIT, over all that was noted for it, each once.
 * It runs in the outermost transaction; what it throws rolls the whole back. It may note more, for itself or others:
 * they run until nothing is left.
 */
export abstract class CommitTask<T> extends Topic<T> {
  abstract run(notes: ReadonlyMap<string, T>): Promise<void>;
}

/** The tasks for which something is noted. */
export function commitTasks(notes: Notes): readonly CommitTask<unknown>[] {
  return notes.isEmpty ? [] : notes.topics.filter((topic) => topic instanceof CommitTask);
}
