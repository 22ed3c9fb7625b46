/** Time as motions and queues see it, so that tests can move it by hand. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls back once, `ms` from now. @returns takes it back; may be called late, and twice */
  after(ms: number, call: () => void): () => void;
}

/** The machine's. Looks its functions up at each call, so that globally faked timers move it too. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
};

export const isoTime = (ms: number): string => new Date(ms).toISOString();
