/** What `run` throws, or undefined: to compare its code and details as a whole. */
export function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}
