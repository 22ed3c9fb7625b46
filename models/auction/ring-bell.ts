import { enqueue, GiveUpError, job } from 'bellwether';
import { Ring } from './ring';

const DEFAULT_BELL_URL = 'http://127.0.0.1:3001';
/** How long the bell is waited for to have rung, in seconds. */
const WAIT_SECONDS = 20;
/** How long the bell may take to answer at all, in milliseconds. */
const ANSWER_TIMEOUT_MS = 30_000;
const ASK_AGAIN_AFTER_MS = 1_000;

/**
 * Rings the bell at `BELL_URL` for a sale. The sale's key goes with it, so that the bell strikes once however often it
 * is told. While the bell cannot be reached, has its queue full or lacks its board, it is asked again later, and not
 * before it said; what it refuses, or failed to strike, is not asked for again.
 */
export const ringBell = job(
  'auction: ring the bell',
  async ({ saleId }: { saleId: string }, { signal, job: { attempt, attempts } }): Promise<void> => {
    let answer: Answer;
    try {
      answer = await ask(saleId, signal);
    } catch (error) {
      await note(saleId, attempt === attempts ? 'failed' : 'pending', 'The bell cannot be reached.');
      throw error;
    }
    const { status, problem } = answer;
    if (status === 200) return note(saleId, 'rung', null);
    if (answer.isFinal) {
      await note(saleId, 'failed', problem);
      throw new GiveUpError(`The bell said ${status}: ${problem}`);
    }
    await note(saleId, 'pending', problem);
    // A job of its own, for the time that the bell named; it takes the place of one that waits already.
    await enqueue(ringBell, { saleId }, { delayMs: answer.againAfterMs, replacePending: `sale:${saleId}` });
  },
);

interface Answer {
  readonly status: number;
  readonly problem: string;
  readonly isFinal: boolean;
  readonly againAfterMs: number;
}

async function ask(saleId: string, signal: AbortSignal): Promise<Answer> {
  const response = await fetch(new URL('/ring', process.env.BELL_URL || DEFAULT_BELL_URL), {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      'Idempotency-Key': `sale:${saleId}`,
      Prefer: `wait=${WAIT_SECONDS}`,
      ...(process.env.BELLBOT_KEY && { Authorization: `Bearer ${process.env.BELLBOT_KEY}` }),
    },
    body: JSON.stringify({ by: 'auction', why: `sale ${saleId}` }),
    signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]),
  });
  const { status } = response;
  const text = await response.text();
  const { code, detail } = problemIn(text);
  const isBusy = status === 429 || (status >= 500 && code !== 'E_RING_FAILED');
  const seconds = Number(response.headers.get('retry-after') ?? '');
  return {
    status,
    problem: detail ?? (status === 202 ? 'The bell has it in its queue.' : `The bell said ${status}.`),
    isFinal: status !== 202 && !isBusy,
    againAfterMs: Math.max(ASK_AGAIN_AFTER_MS, seconds > 0 ? seconds * 1000 : 0),
  };
}

/** What `application/problem+json` says; nothing, where the body is something else. */
function problemIn(body: string): { readonly code?: string; readonly detail?: string } {
  try {
    const { code, detail } = JSON.parse(body) as Readonly<Record<string, unknown>>;
    return { ...(typeof code === 'string' && { code }), ...(typeof detail === 'string' && { detail }) };
  } catch {
    return {}; // an answer of something between us and the bell
  }
}

async function note(saleId: string, status: 'pending' | 'rung' | 'failed', problem: string | null): Promise<void> {
  const ring = Ring.where({ saleId: BigInt(saleId) }).where('status', '!=', 'rung');
  await ring.updateAll({ status, problem, ...(status === 'rung' && { rungAt: new Date() }) });
  await Ring.where({ saleId: BigInt(saleId) }).increment({ attempts: 1 });
}
