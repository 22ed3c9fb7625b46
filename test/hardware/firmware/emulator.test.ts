import { FirmataEmulator } from '../../../hardware/boards/firmata-emulator';
import { ArduinoUno } from './arduino-uno';

const split = (value: number) => [value & 0x7f, (value >> 7) & 0x7f];
const sysex = (...bytes: number[]) => [0xf0, ...bytes, 0xf7];
const state = (pin: number) => sysex(0x6d, pin);
const mode = (pin: number, wanted: number) => [0xf4, pin, wanted];
const analog = (pin: number, value: number) => [0xe0 | pin, ...split(value)];
const digital = (port: number, value: number) => [0x90 | port, ...split(value)];
const PINS = Array.from({ length: 20 }, (_, pin) => pin);
const states = PINS.flatMap(state);
const RESET = 0xff;

/** What a host says, one thing after the other; each is answered before the next. */
const SESSION: readonly (readonly [what: string, bytes: readonly number[]])[] = [
  ['version', [0xf9]],
  ['firmware', sysex(0x79)],
  ['capabilities', sysex(0x6b)],
  ['analog mapping', sysex(0x69)],
  ['state of each pin', states],
  ['state of pins that are not there', [...state(20), ...state(99), ...state(127), ...sysex(0x6d)]],
  ...[0, 1, 2, 3, 4, 6].map((wanted) => {
    const all = PINS.filter((pin) => pin < 14 && !(wanted === 4 && pin === 13)); // a 13th servo comes below
    return [`all digital pins in mode ${wanted}`, [...all.flatMap((pin) => mode(pin, wanted)), ...states]] as const;
  }),
  ['a mode that does not exist', [...mode(8, 9), ...mode(8, 0x7f), ...state(8)]],
  ['a servo', [...mode(8, 4), ...analog(8, 1350), ...state(8)]],
  ['its strike', [...analog(8, 1500), ...state(8)]],
  ['degrees instead of microseconds', [...analog(8, 90), ...state(8)]],
  ['the widest number', [...analog(8, 0x3fff), ...state(8)]],
  ['more bits than fit', [...sysex(0x6f, 8, 0x7f, 0x7f, 0x01), ...state(8)]],
  ['a servo with its range', [...sysex(0x70, 9, ...split(600), ...split(2400)), ...analog(9, 1000), ...state(9)]],
  ['a range cut short', [...sysex(0x70, 10, ...split(600)), ...state(10)]],
  ['a servo on an analog pin', [...mode(14, 4), ...sysex(0x6f, 14, ...split(1200)), ...state(14)]],
  ['a servo taken away', [...mode(9, 1), ...state(9)]],
  ['the same servo twice', [...mode(8, 4), ...mode(8, 4), ...state(8)]],
  ['brightness', [...mode(6, 3), ...analog(6, 128), ...state(6), ...analog(6, 255), ...state(6)]],
  ['brightness where there is none', [...mode(7, 3), ...state(7), ...analog(7, 99), ...state(7)]],
  ['a light on pin 13', [...mode(13, 1), ...digital(1, 0x20), ...state(13), ...digital(1, 0), ...state(13)]],
  ['whole ports', [...digital(0, 0xff), ...digital(1, 0x3f), ...digital(2, 0x0f), ...digital(5, 0xff), ...states]],
  ['digital reports', [...mode(2, 0), 0xd0, 1, 0xd0, 0]],
  ['digital reports of ports that are not there', [0xd7, 1, 0xd3, 1]],
  ['a string', sysex(0x71, ...[...'hello'].flatMap((letter) => split(letter.charCodeAt(0))))],
  ['messages of no known kind', [0x80, 0x12, 0xa3, 0xb0, 0xf1, 0x11, ...sysex(0x01, 2, 3), ...sysex(), ...state(8)]],
  ['a message cut short by the next', [0xe8, 0x10, 0xf4, 8, ...state(8), 0xf9]],
  ['a reset', [RESET, ...states]],
  [
    'thirteen servos, of twelve',
    [...PINS.filter((pin) => pin >= 2 && pin < 15).flatMap((pin) => mode(pin, 4)), ...states],
  ],
  ['another reset', [RESET, 0xf9]],
];

let uno: ArduinoUno;
beforeAll(() => {
  uno = new ArduinoUno();
  while (uno.sent.at(-1) !== 0xf7) uno.run(1);
});

/** Until nothing has been sent for 5 ms. */
function answerOfUno(bytes: readonly number[]): number[] {
  uno.sent.length = 0;
  uno.write(bytes);
  let [quiet, sent] = [0, 0];
  for (uno.run(bytes.length / 5); quiet < 5; uno.run(1)) {
    quiet = uno.sent.length === sent ? quiet + 1 : 0;
    sent = uno.sent.length;
  }
  return [...uno.sent];
}

const hex = (bytes: readonly number[]) => Buffer.from(bytes).toString('hex').replace(/f7/g, 'f7\n');

test('the emulator greets as the firmware does, and answers a session byte by byte as it does', () => {
  const answered: number[] = [];
  const emulator = new FirmataEmulator((bytes) => answered.push(...bytes));
  emulator.greet();
  expect(hex(answered)).toBe(hex(uno.sent));
  const answers = SESSION.map(([what, bytes]) => {
    answered.length = 0;
    emulator.receive(bytes);
    return { what, answer: hex(answered) };
  });
  emulator.stop();
  expect(answers).toEqual(SESSION.map(([what, bytes]) => ({ what, answer: hex(answerOfUno(bytes)) })));
});
