export type Direction = 'asc' | 'desc';

export interface Ordering {
  readonly property: string;
  readonly direction: Direction;
}
