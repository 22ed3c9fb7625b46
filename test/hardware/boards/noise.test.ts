import fc from 'fast-check';
import { FirmataLine } from '../../../hardware/boards/firmata-line';
import { DESK } from '../serving';
import { BoardOnHand } from './board-on-hand';

const QUICK = { ...DESK, sdelay: 40, pdelay: 80 };

let hand: BoardOnHand;
beforeEach(() => (hand = new BoardOnHand()));
afterEach(() => hand.end());

/** Each makes firmata-io throw, or believe that it was greeted again, when it is taken for an answer. */
const MALFORMED: readonly (readonly number[])[] = [
  [0xf0, 0x79, 0xf7],
  [0xf0, 0x79, 0x02, 0xf7],
  [0xf0, 0x6e, 0x63, 0x04, 0x00, 0xf7],
  [0xf0, 0x6e, 0xf7],
  [0xf0, 0x6a, ...Array<number>(40).fill(0), 0xf7],
  [0xf0, 0x6c, 0x7f, 0xf7],
  [0xf0, 0x73, 0x6e, 0x63, 0x00, 0xf7],
  [0xf0, 0x62, 0x06, 0xf7],
  [0xf9, 0x02, 0x04],
  [0xe0, 0x7f, 0x07],
  [0x9f, 0x7f, 0x7f],
];

test.each(MALFORMED.map((bytes) => [Buffer.from(bytes).toString('hex'), bytes] as const))(
  '%s on the line while idle and during a strike: the ring is rung',
  async (_hex, bytes) => {
    await hand.serve();
    hand.arduino.noise(bytes);
    const ring = await hand.ring();
    await hand.pass(100);
    hand.arduino.noise(bytes);
    await hand.pass(5000);
    expect(hand.outcomes.get(ring.id)).toMatchObject({ status: 'rung' });
    expect(hand.statuses).toEqual(['ready']);
  },
);

test('noise before the greeting', async () => {
  const opened = hand.board.open();
  for (const bytes of MALFORMED) hand.arduino.noise(bytes);
  await hand.pass(12_000);
  await opened.catch((error: unknown) => expect(error).toMatchObject({ code: 'E_BOARD' }));
  expect(hand.board.status).toBe('ready');
});

test('a message that never ends is not kept', async () => {
  const transport = hand.arduino.connect();
  const line = new FirmataLine(transport, 1000);
  await hand.pass(0);
  transport.emit('data', Uint8Array.of(0xf0));
  for (let i = 0; i < 20; i++) transport.emit('data', new Uint8Array(1000).fill(0x11));
  expect(line.firmata.buffer.length).toBeLessThan(5000);
  line.end();
});

test('whatever noise comes between: no crash, no hang, and rung only what the board was told in whole', async () => {
  await hand.serve({ bells: [QUICK] });
  const rings: string[] = [];
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(60), async (noise, at) => {
      const before = hand.degrees.length;
      const { id } = await hand.ring();
      rings.push(id);
      await hand.pass(at);
      hand.arduino.noise([...noise]);
      await hand.pass(5000);
      const { status } = hand.outcomes.get(id)!;
      const struck = hand.degrees.slice(before).join();
      if (status === 'rung') expect(struck).toBe('90,75');
      expect(hand.board.status).toBe('ready');
      expect(hand.arduino.emulator.pulse(8)).toBe(1350);
    }),
    { numRuns: 200 },
  );
  const rung = rings.filter((id) => hand.outcomes.get(id)?.status === 'rung').length;
  expect(rung).toBeGreaterThan(rings.length / 2);
});
