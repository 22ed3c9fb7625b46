import { EventEmitter } from 'node:events';
import type { IoPlugin } from '../../../hardware/boards/raspberry-pi-board';
import { raspberryPiBoard } from '../../../hardware/boards/raspberry-pi-board';

/** What johnny-five asks of an IO plugin, on pins that only note what they are told. */
class PluginInTest extends EventEmitter implements IoPlugin {
  readonly name = 'RaspberryPi-IO';
  readonly MODES = { INPUT: 0, OUTPUT: 1, ANALOG: 2, PWM: 3, SERVO: 4 };
  readonly HIGH = 1;
  readonly LOW = 0;
  readonly pins = [{ supportedModes: [0, 1] }, { supportedModes: [0, 1, 3, 4] }];
  readonly analogPins = [];
  readonly told: unknown[][] = [];
  isReady = false;

  normalize(name: string): number {
    if (name === 'GPIO18') return 1;
    if (name === 'GPIO4') return 0;
    throw new Error(`Unknown pin "${name}"`);
  }
  pinMode(pin: number, mode: number): void {
    this.told.push(['mode', pin, mode]);
  }
  servoWrite(pin: number, microseconds: number): void {
    this.told.push(['servo', pin, microseconds]);
  }
  digitalWrite(pin: number, value: number): void {
    this.told.push(['digital', pin, value]);
  }

  start(): void {
    this.isReady = true;
    this.emit('connect');
    this.emit('ready');
  }
}

function piWith(plugin: PluginInTest) {
  return raspberryPiBoard({ plugin: () => Promise.resolve(plugin) });
}

test('a servo and a light on the pins of the Pi, by the numbers of the chip', async () => {
  const plugin = new PluginInTest();
  const board = piWith(plugin);
  const servo = board.servo(18, 75);
  const light = board.light(4);
  const opened = board.open();
  setImmediate(() => plugin.start());
  await opened;
  await servo.to(90);
  light.set(true);
  expect(plugin.told).toEqual([
    ['mode', 1, plugin.MODES.SERVO],
    ['servo', 1, 1350],
    ['mode', 0, plugin.MODES.OUTPUT],
    ['digital', 0, 0],
    ['servo', 1, 1500],
    ['digital', 0, 1],
  ]);
  expect(board).toMatchObject({ kind: 'raspberry pi', where: 'GPIO', status: 'ready' });
  await board.close();
  await expect(servo.to(75)).rejects.toMatchObject({ code: 'E_BOARD' });
  light.set(false);
  expect(plugin.told).toHaveLength(6);
});

test.each([
  ['a pin that it lacks', (board: ReturnType<typeof piWith>) => board.servo(99, 75), /GPIO99/],
  ['a light sensor', (board: ReturnType<typeof piWith>) => board.lightSensor(0), /no analog pin/],
])('%s is refused with the reason', async (_what, ask, reason) => {
  const plugin = new PluginInTest();
  const board = piWith(plugin);
  ask(board);
  const opened = board.open();
  setImmediate(() => plugin.start());
  await expect(opened).rejects.toMatchObject({ code: 'E_BOARD', what: expect.stringMatching(reason) });
  await board.close();
});

test('without raspi-io, it says what to install', async () => {
  const board = raspberryPiBoard();
  await expect(board.open()).rejects.toMatchObject({
    code: 'E_BOARD',
    what: 'raspi-io is not installed.',
    remedy: expect.stringContaining('npm install'),
  });
  await board.close();
});
