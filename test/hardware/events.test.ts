import { poster } from './client';
import { serve } from './serving';
import type { Serving } from './serving';

let serving: Serving;
beforeEach(async () => (serving = await serve()));
afterEach(() => serving.close());

/** Reads events as they come. */
async function listen() {
  const response = await fetch(`${serving.url}/events`);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  const next = async (name: string): Promise<unknown> => {
    for (;;) {
      const [, data] = new RegExp(`event: ${name}\\ndata: (.*)\\n\\n`).exec(text) ?? [];
      if (data !== undefined) {
        text = text.slice(text.indexOf(data) + data.length);
        return JSON.parse(data);
      }
      const { value, done } = await reader.read();
      if (done) throw new Error('The stream has ended.');
      text += value;
    }
  };
  return { response, next, leave: () => reader.cancel() };
}

test('a listener is told how it is, and then each angle and each change of a ring', async () => {
  const { response, next, leave } = await listen();
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  expect(await next('bells')).toMatchObject({ bells: [{ id: 'desk', queued: 0 }] });
  await poster(serving.url)('/ring', { by: 'Ann' });
  expect(await next('ring')).toMatchObject({ by: 'Ann', status: 'queued' });
  expect(await next('ring')).toMatchObject({ status: 'striking' });
  expect(await next('servo')).toEqual({ bell: 'desk', degrees: 90 });
  await serving.clock.advance(500);
  expect(await next('servo')).toEqual({ bell: 'desk', degrees: 75 });
  expect(await next('ring')).toMatchObject({ status: 'rung' });
  serving.board.become('lost');
  for (;;) if (JSON.stringify(await next('bells')).includes('"lost"')) break;
  await leave();
});

test('listeners are bounded, and a place is free again when one goes', async () => {
  const listeners = await Promise.all(Array.from({ length: 100 }, listen));
  const refused = await fetch(`${serving.url}/events`);
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
  await refused.body?.cancel();
  await listeners[0]!.leave();
  for (;;) {
    const { status, body } = await fetch(`${serving.url}/events`);
    await body?.cancel();
    if (status === 200) break;
  }
  await Promise.all(listeners.slice(1).map(({ leave }) => leave()));
});
