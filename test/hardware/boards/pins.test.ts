import { BoardOnHand } from './board-on-hand';

let hand: BoardOnHand;
beforeEach(() => (hand = new BoardOnHand()));
afterEach(() => hand.end());

test('mode and first angle of a servo arrive together', async () => {
  const arrived: number[][] = [];
  const connect = hand.arduino.connect.bind(hand.arduino);
  hand.arduino.connect = () => {
    const line = connect();
    const { emulator } = hand.arduino;
    const receive = emulator.receive.bind(emulator);
    emulator.receive = (bytes) => {
      arrived.push([...bytes]);
      receive(bytes);
    };
    return line;
  };
  hand.board.servo(8, 75);
  hand.board.servo(9, 90);
  await hand.board.open();
  const [mode, servo, query] = [0xf4, 4, 0x6d];
  expect(arrived.at(-1)).toEqual([
    ...[mode, 8, servo, 0xe8, 1350 & 0x7f, 1350 >> 7, 0xf0, query, 8, 0xf7],
    ...[mode, 9, servo, 0xe9, 1500 & 0x7f, 1500 >> 7, 0xf0, query, 9, 0xf7],
  ]);
});

test('a servo made while the board is being connected', async () => {
  const servos = [hand.board.servo(8, 75)];
  const ready = hand.board.open();
  for (let pin = 2; pin < 8; pin++) {
    await Promise.resolve();
    servos.push(hand.board.servo(pin, 75));
  }
  await ready;
  for (const servo of servos) await servo.to(90);
  expect(servos.map(({ pin }) => hand.arduino.emulator.pulse(pin))).toEqual(Array(7).fill(1500));
});

test.each([NaN, Infinity, -1, 181, '90' as unknown as number, undefined as unknown as number])(
  'no servo is driven to %p',
  async (degrees) => {
    const servo = hand.board.servo(8, 75);
    await hand.board.open();
    await expect(servo.to(degrees)).rejects.toMatchObject({ code: 'E_BOARD' });
    expect(() => hand.board.servo(9, degrees)).toThrow(/no angle/);
    expect(hand.degrees).toEqual([75]);
  },
);

test.each([-1, 1.5, 128, NaN])('pin %p makes no sense on any board', (pin) => {
  expect(() => hand.board.servo(pin, 75)).toThrow(/no pin of any board/);
  expect(() => hand.board.light(pin)).toThrow(/no pin of any board/);
});

test.each([0, 1, 20, 99])('pin %i, which this board lacks or needs itself, shows when it is connected', async (pin) => {
  hand.board.servo(pin, 75);
  await expect(hand.board.open()).rejects.toMatchObject({
    code: 'E_BOARD',
    what: expect.stringContaining(`no pin ${pin} that can drive a servo`),
  });
});

test('a pin that the connected board lacks is refused', async () => {
  await hand.board.open();
  expect(() => hand.board.servo(99, 75)).toThrow(/no pin 99 that can drive a servo/);
  await hand.pass(10_000);
  expect(hand.board.status).toBe('ready');
});

test('two things do not share a pin', () => {
  hand.board.servo(8, 75);
  expect(() => hand.board.light(8)).toThrow(/Two things are on pin 8/);
});

test.each([13, 6])('a light on pin %i, over a reconnection', async (pin) => {
  const light = hand.board.light(pin);
  light.set(true); // not there yet
  await hand.board.open();
  expect(hand.arduino.emulator.isHigh(pin)).toBe(false);
  light.set(true);
  await hand.pass(0);
  expect(hand.arduino.emulator.isHigh(pin)).toBe(true);
  light.set(false);
  await hand.pass(0);
  expect(hand.arduino.emulator.isHigh(pin)).toBe(false);
  hand.arduino.unplug();
  await hand.pass(0);
  light.set(true);
  hand.arduino.plugIn();
  await hand.pass(1000);
  expect(hand.arduino.emulator.isHigh(pin)).toBe(false);
  light.set(true);
  await hand.pass(0);
  expect(hand.arduino.emulator.isHigh(pin)).toBe(true);
});

test('a light sensor: nothing before its first reading and while the board is away', async () => {
  const sensor = hand.board.lightSensor(2);
  expect(sensor.level).toBeUndefined();
  await hand.board.open();
  expect(sensor.level).toBeUndefined();
  hand.arduino.analogValues[2] = 800;
  await hand.pass(200);
  expect(sensor.level).toBe(800);
  hand.arduino.unplug();
  await hand.pass(0);
  expect(sensor.level).toBeUndefined();
  hand.arduino.plugIn();
  await hand.pass(1000);
  hand.arduino.analogValues[2] = 30;
  await hand.pass(300);
  expect(sensor.level).toBe(30);
});

test('closed: what was commanded has arrived, nothing is left running, and it stays closed', async () => {
  const servo = hand.board.servo(8, 75);
  await hand.board.open();
  const told = servo.to(90);
  await hand.board.close();
  await told;
  expect(hand.arduino.emulator.pulse(8)).toBe(1500);
  await expect(servo.to(75)).rejects.toMatchObject({ code: 'E_BOARD' });
  await expect(hand.board.open()).rejects.toMatchObject({ code: 'E_BOARD' });
  expect(hand.timers).toBe(0);
  await hand.pass(60_000);
  expect(hand.statuses).toEqual(['ready', 'closed']);
});

test.each(['connecting', 'lost'])('closed while %s', async (when) => {
  hand.arduino.isSilent = when === 'connecting';
  const opened = hand.board.open();
  if (when === 'lost') {
    await opened;
    hand.arduino.unplug();
    await hand.pass(0);
  }
  await hand.board.close();
  if (when === 'connecting') await expect(opened).rejects.toMatchObject({ code: 'E_BOARD' });
  await hand.pass(0);
  expect(hand.timers).toBe(0);
  expect(hand.board.status).toBe('closed');
});

test('closed while the board has fallen silent: it waits no longer than for an answer', async () => {
  hand.board.servo(8, 75);
  await hand.board.open();
  hand.arduino.isSilent = true;
  const closed = hand.board.close();
  await hand.pass(1000);
  await closed;
  expect(hand.timers).toBe(0);
});
