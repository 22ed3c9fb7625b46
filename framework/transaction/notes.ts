/** What is noted by one feature. Its identity only; the type says what the notes are. */
export class Topic<T> {
  declare readonly notes: T;
}

/**
 * What features note about a stretch of a transaction, each key once: it goes to the stretch around it when this
 * one succeeds, and is forgotten when this one is undone.
 */
export class Notes {
  readonly #outer: Notes | undefined;
  #topics: Map<Topic<unknown>, Map<string, unknown>> | undefined;

  constructor(outer: Notes | undefined) {
    this.#outer = outer;
  }

  get isEmpty(): boolean {
    return this.#topics === undefined;
  }

  /** What there are notes of in this stretch. */
  get topics(): readonly Topic<unknown>[] {
    return [...(this.#topics?.keys() ?? [])];
  }

  /** The note that counts is the first: of this stretch, or of one around it. */
  find<T>(topic: Topic<T>, key: string): T | undefined {
    return (this.#topics?.get(topic)?.get(key) as T | undefined) ?? this.#outer?.find(topic, key);
  }

  /** All of a topic, here and around. */
  all<T>(topic: Topic<T>): ReadonlyMap<string, T> {
    const own = this.#topics?.get(topic) as Map<string, T> | undefined;
    if (!this.#outer) return own ?? new Map<string, T>();
    return new Map([...this.#outer.all(topic), ...(own ?? [])]);
  }

  add<T>(topic: Topic<T>, key: string, note: T): void {
    this.#topics ??= new Map();
    const notes = this.#topics.get(topic);
    if (!notes) this.#topics.set(topic, new Map([[key, note]]));
    else if (!notes.has(key)) notes.set(key, note);
  }

  /** Those of this stretch, which then has none of them any more. */
  take<T>(topic: Topic<T>): ReadonlyMap<string, T> {
    const notes = this.#topics?.get(topic);
    this.#topics?.delete(topic);
    return (notes ?? new Map()) as ReadonlyMap<string, T>;
  }

  adopt(inner: Notes): void {
    for (const [topic, notes] of inner.#topics ?? []) {
      for (const [key, note] of notes) this.add(topic, key, note);
    }
    inner.#topics = undefined;
  }
}
