import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Board, BoardStatus } from '../../../hardware/boards/board';
import { chooseBoard } from '../../../hardware/boards/choose-board';
import { serialBoard } from '../../../hardware/boards/serial-board';
import { arduinoPorts } from '../../../hardware/boards/serial-ports';
import { hasSocat, PseudoTerminal } from './pseudo-terminal';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'bellbot-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const noUdevadm = (code: string) => () => Promise.reject(Object.assign(new Error(`spawn udevadm ${code}`), { code }));

describe('the ports on which an Arduino may be', () => {
  test('Arduinos come before their clones, those before other USB ports; what is not USB is left out', async () => {
    const list = () =>
      Promise.resolve([
        { path: '/dev/ttyS0' },
        { path: '/dev/ttyUSB1', vendorId: '0403' },
        { path: '/dev/ttyACM1', vendorId: 'ffff' },
        { path: '/dev/ttyUSB0', vendorId: '1A86' },
        { path: '/dev/ttyACM0', vendorId: '2341' },
        { path: 'COM3', vendorId: '2A03' },
      ]);
    expect(await arduinoPorts(list)).toEqual(['/dev/ttyACM0', 'COM3', '/dev/ttyUSB0', '/dev/ttyUSB1', '/dev/ttyACM1']);
  });

  test.each(['ENOENT', 'EACCES'])('without udevadm (%s), the names of the devices must do', async (code) => {
    for (const name of ['ttyUSB0', 'ttyACM1', 'ttyS0', 'tty1', 'null']) writeFileSync(join(folder, name), '');
    expect(await arduinoPorts(noUdevadm(code), folder)).toEqual([join(folder, 'ttyACM1'), join(folder, 'ttyUSB0')]);
  });

  test('this machine can be asked', async () => {
    expect(await arduinoPorts()).toEqual(expect.any(Array));
  });

  test('a list that fails otherwise is no empty list', async () => {
    const failing = () => Promise.reject(new Error('udevadm exited with error code: 1'));
    await expect(arduinoPorts(failing)).rejects.toMatchObject({
      code: 'E_BOARD',
      remedy: expect.stringMatching(/--board/),
    });
  });
});

test.each([
  ['auto', ['/dev/ttyACM0'], 'serial'],
  ['auto', [], 'simulated'],
  ['simulated', ['/dev/ttyACM0'], 'simulated'],
  ['raspberry-pi', [], 'raspberry pi'],
  ['/dev/ttyACM7', [], 'serial'],
])('the board %p, with the ports %j, is %s', async (choice, ports, kind) => {
  expect(await chooseBoard(choice, { ports: () => Promise.resolve(ports) })).toMatchObject({ kind });
});

test('no port, and a port that is not there, are told with what to do', async () => {
  const nowhere = serialBoard({ ports: () => Promise.resolve([]) });
  await expect(nowhere.open()).rejects.toMatchObject({ what: expect.stringMatching(/no Arduino on any USB port/) });
  await nowhere.close();
  const absent = serialBoard({ path: join(folder, 'nothing') });
  await expect(absent.open()).rejects.toMatchObject({
    what: expect.stringContaining(join(folder, 'nothing')),
    remedy: expect.stringMatching(/Plug the Arduino in/),
  });
  await absent.close();
});

(hasSocat ? describe : describe.skip)('over a pseudo-terminal', () => {
  /** Generous where a slow machine would be taken for a silent board. */
  const times = { greetingMs: 200, retryEveryMs: 50, connectMs: 40_000, answerMs: 20_000 };
  let arduino: PseudoTerminal;
  let board: Board | undefined;

  beforeEach(async () => {
    arduino = new PseudoTerminal(join(folder, 'tty'));
    await arduino.plugIn();
  });
  afterEach(async () => {
    await board?.close();
    await arduino.unplug();
  });

  const become = (status: BoardStatus) =>
    new Promise<void>((resolve) => {
      if (board!.status === status) resolve();
      else board!.events.on('status', (now) => now === status && resolve());
    });

  test('a servo is driven, the line noisy or not, and the port is free again afterwards', async () => {
    for (const degrees of [90, 30]) {
      board = serialBoard({ path: arduino.path, times });
      const servo = board.servo(8, 75);
      await board.open();
      expect(arduino.emulator.pulse(8)).toBe(1350);
      arduino.noise([0xf0, 0x6e, 0x63, 0xf7, 0xf0, 0x12]);
      await servo.to(degrees);
      expect(arduino.emulator.pulse(8)).toBe(600 + 10 * degrees);
      await board.close();
    }
  });

  test('unplugged and plugged in again', async () => {
    board = serialBoard({ ports: () => Promise.resolve([arduino.path, join(folder, 'modem')]), times });
    const servo = board.servo(8, 75);
    await board.open();
    expect(board.where).toBe(arduino.path);
    await servo.to(90);
    await arduino.unplug();
    await become('lost');
    await expect(servo.to(90)).rejects.toMatchObject({ code: 'E_BOARD' });
    await arduino.plugIn();
    await become('ready');
    expect(arduino.emulator.pulse(8)).toBe(1350);
    await servo.to(90);
    expect(arduino.emulator.pulse(8)).toBe(1500);
  });

  test('unplugged with a command on its way: it is no success', async () => {
    board = serialBoard({ path: arduino.path, times });
    const servo = board.servo(8, 75);
    await board.open();
    arduino.isSilent = true;
    const told = expect(servo.to(90)).rejects.toMatchObject({ code: 'E_BOARD' });
    await arduino.unplug();
    await told;
  });

  test('a port where nothing answers', async () => {
    arduino.isSilent = true;
    board = serialBoard({ path: arduino.path, times: { ...times, connectMs: 1500 } });
    await expect(board.open()).rejects.toMatchObject({ what: expect.stringMatching(/1500 ms/) });
    arduino.isSilent = false;
    await become('ready');
  });
});
