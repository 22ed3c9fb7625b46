import type { Board } from '../../../hardware/boards/board';
import { SimulatedArduino } from '../../../hardware/boards/simulated-arduino';
import { simulatedBoard } from '../../../hardware/boards/simulated-board';
import { Lockstep } from './lockstep';

/** No question out of turn: where it falls in the session would depend on how long the board takes to blink. */
const TIMES = { checkEveryMs: 1e6 };

let lockstep: Lockstep;
beforeEach(() => (lockstep = new Lockstep()));
afterEach(() => lockstep.stop());

interface Session {
  /** In hexadecimal. */
  readonly host: string;
  /** Without the readings of the light sensor, whose number depends on the moment. */
  readonly board: string;
  readonly readings: readonly number[];
}

const ANALOG_0 = 0xe0;

function sessionOf(host: readonly number[], board: readonly number[]): Session {
  const others: number[] = [];
  const readings = new Set<number>();
  for (let at = 0; at < board.length; at++) {
    if (board[at] !== ANALOG_0) others.push(board[at]!);
    else readings.add(board[++at]! | (board[++at]! << 7));
  }
  const hex = (bytes: readonly number[]) => Buffer.from(bytes).toString('hex');
  return { host: hex(host), board: hex(others), readings: [...readings] };
}

/** Two servos, a light and a light sensor, through johnny-five. */
async function play(board: Board, shine: (level: number) => void): Promise<void> {
  const [desk, door, light, sensor] = [board.servo(8, 75), board.servo(9, 20), board.light(13), board.lightSensor(0)];
  shine(1023);
  await lockstep.until(board.open());
  light.set(true);
  await lockstep.until(Promise.all([desk.to(90), door.to(60)]));
  await lockstep.run(150);
  expect(sensor.level).toBe(1023);
  shine(0);
  await lockstep.until(Promise.all([desk.to(75), door.to(20.5)]));
  light.set(false);
  await lockstep.run(250);
  expect(sensor.level).toBe(0);
  await lockstep.until(board.close());
}

async function playOnTheFirmware(): Promise<Session> {
  await play(lockstep.board(TIMES), (level) => lockstep.uno.setVoltage(0, (5 * level) / 1023));
  return sessionOf(
    lockstep.sent.flatMap(({ bytes }) => bytes),
    lockstep.uno.sent,
  );
}

async function playOnTheEmulator(): Promise<Session> {
  const arduino = new SimulatedArduino();
  const [host, board]: [number[], number[]] = [[], []];
  const connect = arduino.connect.bind(arduino);
  arduino.connect = () => {
    const line = connect();
    const write = line.write.bind(line);
    line.write = (bytes) => {
      host.push(...bytes);
      write(bytes);
    };
    return line.on('data', (bytes) => board.push(...bytes));
  };
  await play(simulatedBoard(arduino, TIMES), (level) => (arduino.analogValues[0] = level));
  return sessionOf(host, board);
}

test('a whole session is the same, byte by byte, on the firmware and on the emulator', async () => {
  const onTheEmulator = await playOnTheEmulator();
  const onTheFirmware = await playOnTheFirmware();
  expect(onTheEmulator).toEqual(onTheFirmware);
  expect(onTheFirmware.readings).toEqual([1023, 0]);
  expect(onTheFirmware.board.length).toBeGreaterThan(400);
});

test('the light is lit, and the level is what the pin measures', async () => {
  const board = lockstep.board();
  const light = board.light(13);
  const sensor = board.lightSensor(3);
  lockstep.uno.setVoltage(3, 2.5);
  await lockstep.until(board.open());
  light.set(true);
  await lockstep.run(250);
  expect(lockstep.uno.isHigh(13)).toBe(true);
  expect([511, 512]).toContain(sensor.level);
  light.set(false);
  lockstep.uno.setVoltage(3, 0.1);
  await lockstep.run(250);
  expect(lockstep.uno.isHigh(13)).toBe(false);
  expect([20, 21]).toContain(sensor.level);
  await lockstep.until(board.close());
});
