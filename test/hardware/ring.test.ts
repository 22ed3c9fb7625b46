import type { Ring } from '../../hardware/bell/ring';
import { serve } from './serving';
import type { Serving } from './serving';

let serving: Serving;
afterEach(() => serving.close());

const post = (path: string, body: unknown = {}, headers: Record<string, string> = {}) =>
  fetch(`${serving.url}${path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

const degrees = () => serving.board.commands.map((command) => command.degrees);

test('a ring is accepted, struck, and told', async () => {
  serving = await serve();
  const response = await post('/ring', { by: 'Ann', why: 'sale 7' });
  expect(response.status).toBe(202);
  const { ring } = (await response.json()) as { ring: Ring };
  expect(ring).toMatchObject({ bell: 'desk', kind: 'ring', by: 'Ann', why: 'sale 7', status: 'queued' });
  await serving.clock.advance(499);
  expect(degrees()).toEqual([90]);
  await serving.clock.advance(1);
  expect(degrees()).toEqual([90, 75]);
  const found = await fetch(serving.url + response.headers.get('location'));
  expect(await found.json()).toMatchObject({ ring: { id: ring.id, status: 'rung', error: null } });
});
