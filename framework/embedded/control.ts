import { connect, type Socket } from 'node:net';
import type { RunningRecord } from './folders';

/**
 * What goes over the supervisor's loopback socket: one line of JSON each way, then either end may close it.
 * A lease lasts as long as its connection. The system closes that however its holder ends, so a lease needs no
 * heartbeat, and can neither be left behind nor be taken for that of a later process with the same number.
 */
export interface ControlRequest {
  readonly token: string;
  readonly verb: 'lease' | 'status' | 'stop';
  /** Who asks; for `status` to show. */
  readonly pid: number;
  /** With `lease`: stay up until told to stop, even when nobody holds a lease. */
  readonly isKept?: boolean;
}

export interface ControlReply {
  /** False while the server is on its way out: ask again once it is gone. */
  readonly isGranted: boolean;
  /** Processes that hold a lease, one number for each lease. */
  readonly leases: readonly number[];
  readonly isKept: boolean;
}

/** Sent over leases before the supervisor closes them on purpose, to tell that from its death. */
export const FAREWELL = 'stopping';

const REPLY_TIMEOUT_MS = 5_000;

/** @returns undefined when nobody answers under that number, which is how a dead supervisor looks */
export function ask(
  record: RunningRecord,
  request: Omit<ControlRequest, 'token' | 'pid'>,
): Promise<{ reply: ControlReply; socket: Socket } | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port: record.controlPort, host: '127.0.0.1' });
    const giveUp = () => {
      socket.destroy();
      resolve(undefined);
    };
    socket.setTimeout(REPLY_TIMEOUT_MS, giveUp).on('error', giveUp).on('close', giveUp);
    onLines(socket, (line) => {
      socket.removeAllListeners('data').removeListener('close', giveUp).setTimeout(0);
      resolve({ reply: JSON.parse(line) as ControlReply, socket });
    });
    socket.write(JSON.stringify({ ...request, token: record.token, pid: process.pid }) + '\n');
  });
}

/** Longer lines are none of ours; whoever sends them is cut off. */
const MAX_LINE_LENGTH = 4096;

export function onLines(socket: Socket, take: (line: string) => void): void {
  let buffer = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    const lines = (buffer + text).split('\n');
    buffer = lines.pop() ?? '';
    if (buffer.length > MAX_LINE_LENGTH) socket.destroy();
    for (const line of lines) take(line);
  });
}
