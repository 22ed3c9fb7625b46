/** Pages that show what becomes of rings listen to this. */
export const RINGS_TOPIC = 'rings';

/** Whoever shows an item listens to this. */
export const itemTopic = (itemId: bigint): string => `item:${itemId}`;
