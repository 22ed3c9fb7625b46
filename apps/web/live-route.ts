import type { Express } from 'express';
import { topicFilter } from './live';
import type { LiveHub } from './live';
import { visitOf } from './pages';
import { TRANSACTIONS_TOPIC } from './transactions-page';
import type { User, Visit } from './visit';

const MOST_TOPICS = 50;

export interface LiveRoute<U extends User> {
  /** Which topics the visitor may hear of. Default: all. */
  readonly mayHear?: (topic: string, visit: Visit<U>) => boolean | Promise<boolean>;
}

/** The topics that the address names, as far as this visitor may hear of them. */
export function addLive<U extends User>(app: Express, { mayHear = () => true }: LiveRoute<U>, hub: LiveHub): void {
  app.get('/live', async (request, response) => {
    const wanted = [request.query.topic ?? []].flat().filter((topic) => typeof topic === 'string');
    const visit = visitOf<U>(response);
    const topics = new Set<string>();
    for (const topic of wanted.slice(0, MOST_TOPICS)) {
      if (topic === TRANSACTIONS_TOPIC || (await mayHear(topic, visit))) topics.add(topic);
    }
    hub.stream(request, response, topicFilter(topics));
  });
}
