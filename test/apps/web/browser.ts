/** As much of a browser as the tests need: it keeps cookies, and finds the token in a form. */
export class Browser {
  readonly #cookies = new Map<string, string>();

  constructor(readonly url: string) {}

  get cookie(): string {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }
  set cookie(text: string) {
    this.#cookies.clear();
    for (const part of text.split('; ').filter(Boolean)) this.#keep(part);
  }

  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.cookie !== '') headers.set('cookie', this.cookie);
    const response = await fetch(`${this.url}${path}`, { redirect: 'manual', ...init, headers });
    for (const cookie of response.headers.getSetCookie()) this.#keep(cookie.split(';')[0]!);
    return response;
  }

  async text(path: string): Promise<string> {
    return (await this.fetch(path)).text();
  }

  /** Takes the token from the page, and sends the form. */
  async post(path: string, fields: Readonly<Record<string, string>>, page = '/'): Promise<Response> {
    const token = await this.token(page);
    return this.fetch(path, { method: 'POST', body: new URLSearchParams({ ...fields, _csrf: token }) });
  }

  async token(page = '/'): Promise<string> {
    return /name="_csrf" value="([^"]+)"/.exec(await this.text(page))?.[1] ?? '';
  }

  async json(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    return this.fetch(`/api${path}`, {
      method,
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  }

  #keep(cookie: string): void {
    const at = cookie.indexOf('=');
    this.#cookies.set(cookie.slice(0, at), cookie.slice(at + 1));
  }
}
