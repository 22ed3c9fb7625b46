// What the page asks of the server: with the key that was given, and problems as errors.

const KEY = 'bellbot-key';

export const readKey = () => sessionStorage.getItem(KEY) ?? '';
export const keepKey = (key) => (key === '' ? sessionStorage.removeItem(KEY) : sessionStorage.setItem(KEY, key));

/** A refusal: `status` 401 asks for a key. Its message is for people. */
export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Paths are relative, so that the page also works below a proxy's prefix. */
export async function ask(path, { signal, fields, accept = 'application/json' } = {}) {
  const key = readKey();
  const headers = { Accept: accept };
  if (key !== '') headers.Authorization = `Bearer ${key}`;
  if (fields) headers['Content-Type'] = 'application/json';
  const body = fields && JSON.stringify(fields);
  const response = await fetch(path, { method: fields ? 'POST' : 'GET', headers, body, signal, cache: 'no-store' });
  if (response.ok) return response;
  throw new Refusal(response.status, await messageOf(response));
}

export const askJson = async (path, options) => (await ask(path, options)).json();

/** Problems come as RFC 9457 says; what else comes (from a proxy, say) is told by its status. */
async function messageOf(response) {
  const { title, detail = title, remedy } = await response.json().catch(() => ({}));
  return [detail ?? `The server answers ${response.status}.`, remedy].filter(Boolean).join(' ');
}
