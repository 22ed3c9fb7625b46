export const RING_KINDS = ['ring', 'sweep'] as const;
export type RingKind = (typeof RING_KINDS)[number];

/** `failed` says why in `error`. What was cut during its strike is `failed`, never `rung`, and not struck again. */
export type RingStatus = 'queued' | 'striking' | 'rung' | 'failed';

/** A request for a strike or a sweep that was accepted, and what became of it. Immutable: each change is a new value. */
export interface Ring {
  readonly id: string;
  readonly bell: string;
  readonly kind: RingKind;
  /** Who asked, and for what reason, as the request said. */
  readonly by: string | null;
  readonly why: string | null;
  readonly status: RingStatus;
  /** ISO 8601, UTC. */
  readonly queuedAt: string;
  readonly finishedAt: string | null;
  readonly error: string | null;
}

export const isFinished = ({ status }: Ring): boolean => status === 'rung' || status === 'failed';
