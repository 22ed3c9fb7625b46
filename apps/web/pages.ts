import { Router } from 'express';
import type { Response } from 'express';
import type { Refusal } from './forms';
import { frame, problemPage } from './frame';
import type { Page, Site } from './frame';
import type { Html } from './html';
import type { EventFilter, LiveHub } from './live';
import { logFailure, problemOf, sayWhen } from './problem';
import type { Conflicts, Problem } from './problem';
import type { User, Visit } from './visit';

/** Who may come in: `signed in` leads everybody else to the page where one signs in. */
export type Who = 'anyone' | 'signed in';

export interface PageForm<U extends User> {
  readonly who?: Who;
  /** By which the form on the page finds its refusal. Default: the path. */
  readonly form?: string;
  /** Does what the form asks for. @returns where to go then */
  readonly run: (visit: Visit<U>) => Promise<string>;
  /** The page to show when it was refused. Default: one that says why. */
  readonly again?: (visit: Visit<U>, refusal: Refusal) => Promise<Page>;
}

/** Runs what a page or the API does for a visitor; an application may put something around all of it. */
export type Around<U extends User> = <T>(visit: Visit<U>, work: () => Promise<T>) => Promise<T>;

interface Setting<U extends User> {
  readonly site: Site<U>;
  readonly conflicts: Conflicts;
  readonly around: Around<U>;
  readonly hub: LiveHub;
}

/** The visitor of a request, once known. */
export const visitOf = <U extends User>(response: Response): Visit<U> => response.locals.visit as Visit<U>;

/** The pages of an application: what is shown at each address, and what its forms do. */
export class Pages<U extends User> {
  readonly router = Router();
  readonly #setting: Setting<U>;

  constructor(setting: Setting<U>) {
    this.#setting = setting;
  }

  get(path: string, show: (visit: Visit<U>) => Promise<Page>, { who = 'anyone' }: { readonly who?: Who } = {}): this {
    this.router.get(path, async (_request, response) => {
      const visit = visitOf<U>(response);
      if (isShutOut(who, visit)) return response.redirect(303, signInPath(visit));
      await this.send(response, await this.#setting.around(visit, () => show(visit)));
    });
    return this;
  }

  /** Markup alone, to take the place of a part of a page. */
  fragment(path: string, show: (visit: Visit<U>) => Promise<Html>): this {
    this.router.get(path, async (_request, response) => {
      const visit = visitOf<U>(response);
      const part = await this.#setting.around(visit, () => show(visit));
      await visit.keep();
      response.set('Cache-Control', 'no-store').type('html').send(part.toString());
    });
    return this;
  }

  /** What a form does, when it was sent by POST. Then the browser is led on, so that a reload does not send it again. */
  form(path: string, { who = 'anyone', form = path, run, again }: PageForm<U>): this {
    this.router.post(path, async (_request, response) => {
      const visit = visitOf<U>(response);
      if (isShutOut(who, visit)) return response.redirect(303, '/sign-in');
      const outcome = await this.#setting.around(visit, async () => {
        try {
          return { to: await run(visit) };
        } catch (error) {
          const problem = problemOf(error, this.#setting.conflicts);
          if (problem.status >= 500 || !again) throw error;
          return { problem, page: await again(visit, { form, problem, fields: visit.fields }) };
        }
      });
      if (outcome.to !== undefined) {
        await visit.keep();
        return response.redirect(303, outcome.to);
      }
      sayWhen(response, outcome.problem);
      await this.send(response, { ...outcome.page, status: outcome.problem.status });
    });
    return this;
  }

  /** Server-sent events of the visitor's own choice: those that the filter lets through. */
  stream(path: string, choose: (visit: Visit<U>) => Promise<EventFilter>): this {
    const { hub, around } = this.#setting;
    this.router.get(path, async (request, response) => {
      const visit = visitOf<U>(response);
      hub.stream(request, response, await around(visit, () => choose(visit)));
    });
    return this;
  }

  async send(response: Response, page: Page): Promise<void> {
    const visit = response.locals.visit as Visit<U> | undefined;
    const text = frame(this.#setting.site, page, visit);
    await visit?.keep();
    response
      .status(page.status ?? 200)
      .set('Cache-Control', 'private, no-cache')
      .type('html')
      .send(text);
  }

  /** What went wrong, as a page; a bug goes to the log, whole. */
  async refuse(response: Response, error: unknown): Promise<void> {
    const problem = problemOf(error, this.#setting.conflicts);
    if (problem.status >= 500) logFailure(error);
    await this.sendProblem(response, problem);
  }

  async sendProblem(response: Response, problem: Problem): Promise<void> {
    sayWhen(response, problem);
    await this.send(response, problemPage(problem));
  }
}

const isShutOut = (who: Who, visit: Visit): boolean => who === 'signed in' && visit.user === undefined;
const signInPath = (visit: Visit): string => `/sign-in?next=${encodeURIComponent(visit.path)}`;
