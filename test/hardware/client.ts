import type { Ring } from '../../hardware/bell/ring';
import type { Problem } from '../../hardware/server/problem';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Of JSON, whatever it is; the tests look. */
  readonly body: { readonly ring?: Ring; readonly replayed?: true; readonly text?: string } & Partial<
    Omit<Problem, 'status'>
  >;
}

/** Posts to a server at `url`: JSON, unless the body is text already. */
export function poster(url: string, always: Record<string, string> = {}) {
  return async (path: string, body: unknown = {}, headers: Record<string, string> = {}): Promise<Answer> => {
    const response = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...always, ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return answerOf(response);
  };
}

export async function get(url: string, headers: Record<string, string> = {}): Promise<Answer> {
  return answerOf(await fetch(url, { headers }));
}

async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json');
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: (isJson ? JSON.parse(text) : {}) as Answer['body'],
  };
}

export const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' };
