import type { Listener } from '@ngrok/ngrok';
import { BellBotError } from './errors';

/** The public address cannot be had. The server goes on without it. */
export class TunnelError extends BellBotError {
  override readonly code = 'E_TUNNEL';
  override readonly recovery = 'fix-the-setup';
}

export interface TunnelOptions {
  /** Where the server listens: `http://127.0.0.1:3000`. */
  readonly address: string;
  /** Whether the server asks for a key. */
  readonly hasKey: boolean;
  readonly token: string | undefined;
  readonly domain: string | undefined;
}

export interface Tunnel {
  readonly url: string;
  close(): Promise<void>;
}

const TIMEOUT_MS = 15_000;

/**
 * Opens a public address that leads to the server.
 *
 * @throws TunnelError without a key, a token or a network, and when ngrok refuses or does not answer
 */
export async function openTunnel({ address, hasKey, token, domain }: TunnelOptions): Promise<Tunnel> {
  if (!hasKey) throw refusal('Without a key anybody could ring.', 'Set a key.');
  if (token === undefined) {
    throw refusal(
      'ngrok wants a token, and there is none.',
      'Get one at https://dashboard.ngrok.com and set --ngrok-token or NGROK_AUTHTOKEN.',
    );
  }
  const ngrok = await load();
  // A new object each time, for ngrok changes it.
  const opening = ngrok.forward({ addr: address, authtoken: token, ...(domain && { domain }) });
  const listener = await within(TIMEOUT_MS, opening).catch((error: unknown) => {
    void opening.then((late) => late.close()).catch(() => undefined); // given up: what it ends in is of no interest
    throw refusal(
      'ngrok could not be reached, or refused.',
      'Look whether the token is right and the network is there.',
      error,
    );
  });
  return { url: listener.url() ?? address, close: () => within(TIMEOUT_MS, closeOf(listener)) };
}

async function closeOf(listener: Listener): Promise<void> {
  await listener.close();
}

async function load() {
  try {
    return await import('@ngrok/ngrok');
  } catch (error) {
    throw refusal(
      'The package @ngrok/ngrok is not installed, or not made for this machine.',
      'npm install @ngrok/ngrok',
      error,
    );
  }
}

async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`No answer within ${ms} ms.`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

const refusal = (why: string, remedy: string, cause?: unknown) =>
  new TunnelError({ what: `The tunnel is not open: ${why}`, remedy, cause });
