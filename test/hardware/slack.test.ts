import { FORM, poster } from './client';
import { serve } from './serving';
import type { Serving } from './serving';

const KEY = 'xoxb-of-slack';
let serving: Serving;
beforeEach(async () => (serving = await serve({ key: KEY })));
afterEach(() => serving.close());

/** What an outgoing webhook sends. */
const MESSAGE = {
  token: KEY,
  team_id: 'T0001',
  team_domain: 'shop',
  channel_id: 'C2147483705',
  channel_name: 'sales',
  timestamp: '1355517523.000005',
  user_id: 'U2147483697',
  user_name: 'ann',
  text: 'ding: sold a chair',
  trigger_word: 'ding:',
};
const send = (message: Record<string, string>, path = '/ring') =>
  poster(serving.url)(path, new URLSearchParams(message).toString(), FORM);
const log = () => serving.service.latest(10);

test('a message with the trigger word rings, and Slack is given something to show', async () => {
  const { status, body } = await send(MESSAGE);
  expect([status, body.text]).toEqual([200, 'ann, the bell rings.']);
  expect(await log()).toMatchObject([{ by: 'ann', why: 'ding: sold a chair', kind: 'ring' }]);
  await serving.clock.advance(500);
  expect(serving.board.commands).toHaveLength(2);
});

test('a message that is delivered twice rings once', async () => {
  await send(MESSAGE);
  expect((await send(MESSAGE)).body.text).toBe('ann, this message was heard before.');
  await send({ ...MESSAGE, timestamp: '1355517524.000001' });
  expect(await log()).toHaveLength(2);
});

test.each([
  ['without a trigger word, as of a channel that sends all', { trigger_word: '' }],
  ['whose text does not begin with it', { text: 'sold; ding:' }],
  ["of Slack's own bot, such as the answer to the one before", { user_name: 'slackbot' }],
])('a message %s does not ring, and nothing is shown', async (_what, other) => {
  const { status, text } = await send({ ...MESSAGE, ...other });
  expect([status, text]).toEqual([200, '{}']);
  expect(await log()).toEqual([]);
});

test('the wrong token is answered as any wrong key', async () => {
  const { status, text } = await send({ ...MESSAGE, token: 'wrong' });
  expect(status).toBe(401);
  expect(text).toBe((await poster(serving.url)('/ring')).text);
});

test('refusals are told as text, for Slack shows nothing else', async () => {
  for (let index = 0; index < 11; index++) await send({ ...MESSAGE, timestamp: `1.${index}` });
  const { status, body } = await send({ ...MESSAGE, timestamp: '2' });
  expect(status).toBe(200);
  expect(body.text).toBe(
    'ann, no: 10 rings are waiting for the bell "desk" already, and no more may. ' +
      'Ring again in 1 s, when one of them has been rung.',
  );
});

test('it says how many wait, and that the board is away', async () => {
  await send({ ...MESSAGE, timestamp: '1' });
  expect((await send({ ...MESSAGE, timestamp: '2' })).body.text).toBe('ann, the bell rings; 1 in the queue.');
  serving.board.become('lost');
  const { body } = await send({ ...MESSAGE, timestamp: '3' }, '/sweep');
  expect(body.text).toBe('ann, the arm sweeps when the board is connected again.');
});

test('names and texts cannot call others in Slack', async () => {
  const { body } = await send({ ...MESSAGE, user_name: '<!channel> & co' });
  expect(body.text).toBe('&lt;!channel&gt; &amp; co, the bell rings.');
});

test('long texts are shortened, and strange ones are none', async () => {
  await send({ ...MESSAGE, text: `ding: ${'x'.repeat(1000)}` });
  expect((await log())[0]?.why).toHaveLength(200);
  const strange = await poster(serving.url)('/ring', { key: KEY, trigger_word: 'x', text: ['x'], user_name: 7 });
  expect([strange.status, strange.text]).toEqual([200, '{}']);
});
