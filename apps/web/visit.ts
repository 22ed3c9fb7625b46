import { promisify } from 'node:util';
import type { Request } from 'express';
import type { SessionData } from 'express-session';
import { fieldsOf, readId } from './input';
import type { Fields } from './input';
import { NotSignedInError } from './refusals';
import { csrfTokenOf } from './security';

declare module 'express-session' {
  interface SessionData {
    /** Who is signed in. */
    userId: string;
    /** What the next page shows. */
    notices: string[];
  }
}

/** Somebody who can sign in. */
export interface User {
  readonly id: bigint;
  /** As `hashPassword` made it. */
  readonly passwordHash: string;
}

type Done = (error: unknown) => void;

/** One request, of one visitor; without a session where the application keeps none. */
export class Visit<U extends User = User> {
  readonly #request: Request;
  #user: U | undefined;
  #stored: string;

  /** @param liveFrom the last event that was told before anything was read for this visitor */
  constructor(
    request: Request,
    user: U | undefined,
    readonly liveFrom: string,
  ) {
    this.#request = request;
    this.#user = user;
    this.#stored = contentOf(request.session);
  }

  /** Who is signed in. */
  get user(): U | undefined {
    return this.#user;
  }

  /** Who is signed in. @throws NotSignedInError when nobody is */
  get me(): U {
    if (this.#user) return this.#user;
    throw new NotSignedInError();
  }

  get path(): string {
    return this.#request.originalUrl.replace(/\?.*/, '');
  }

  get query(): Fields {
    return this.#request.query;
  }

  /** What a form or a body holds. @throws InvalidRequestError when it is no object */
  get fields(): Fields {
    return fieldsOf(this.#request.body);
  }

  get params(): Readonly<Record<string, string>> {
    return this.#request.params as Record<string, string>;
  }

  /** The key in the path. @throws RecordNotFoundError when it is none */
  id(name = 'id'): bigint {
    return readId(this.params[name], name);
  }

  header(name: string): string | undefined {
    return this.#request.get(name);
  }

  /** A cookie of the application's own; anything at all, for the visitor keeps it. */
  cookie(name: string): string | undefined {
    const found = (this.#request.get('cookie') ?? '').split('; ').find((cookie) => cookie.startsWith(`${name}=`));
    return found?.slice(name.length + 1);
  }

  /** Out of the reach of scripts, and for as long as the browser is open. @param value as a cookie may hold it */
  setCookie(name: string, value: string): void {
    this.#request.res?.cookie(name, value, { httpOnly: true, sameSite: 'lax', secure: this.#request.secure });
  }

  /** Kept in the database as long as the visitor stays. */
  get session(): Partial<SessionData> {
    return this.#request.session;
  }

  /** Of the session, which begins with it. */
  get csrfToken(): string {
    return csrfTokenOf(this.#request);
  }

  /** Address of the visitor, as the server sees it. */
  get address(): string {
    return this.#request.ip ?? '';
  }

  /**
   * Stores the session, if it has changed. Before the answer goes out: express-session by itself sends most of the answer
   * first, and the browser's next request may overtake what is stored.
   */
  async keep(): Promise<void> {
    const { session } = this.#request as Partial<Request>;
    if (!session || contentOf(session) === this.#stored) return;
    await promisify((done: Done) => session.save(done))();
    this.#stored = contentOf(session);
  }

  /** Shown on top of the next page. */
  notice(text: string): void {
    const { session } = this.#request;
    session.notices = [...(session.notices ?? []), text];
  }

  /** The notices to show now; they are not shown again. */
  takeNotices(): readonly string[] {
    const session = this.#request.session as Partial<SessionData> | undefined;
    const notices = session?.notices ?? [];
    if (notices.length > 0) delete session?.notices;
    return notices;
  }

  /** The session begins anew, so that one whose id somebody has slipped the visitor is worth nothing. */
  async signIn(user: U): Promise<void> {
    const { notices } = this.#request.session;
    await promisify((done: Done) => this.#request.session.regenerate(done))();
    this.#request.session.userId = String(user.id);
    if (notices) this.#request.session.notices = notices;
    this.#user = user;
  }

  /** Ends the session, in the database too. */
  async signOut(): Promise<void> {
    await promisify((done: Done) => this.#request.session.regenerate(done))();
    this.#user = undefined;
  }
}

/** The session without its cookie, which says anew with each request when it ends. */
const contentOf = ({ cookie: _cookie, ...data }: Partial<SessionData> = {}): string => JSON.stringify(data);
