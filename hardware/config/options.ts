import { homedir } from 'node:os';
import { join } from 'node:path';
import { choice, flag, text, wholeNumber } from './values';
import type { Option } from './values';

const BELL = 'The bell:';
const BOARD = 'The board:';
const SERVER = 'The server:';
const RINGS = 'The rings:';
const TUNNEL = 'The tunnel:';
const OTHER = 'Other:';

/** Of StandardFirmata on an Uno and on a Mega; 0 and 1 are the serial line. */
const PINS = { from: 2, to: 53 } as const;
const ANGLES = { from: 0, to: 180, unit: 'degrees' } as const;

/** What a bells file may say of each bell. Elsewhere they hold for all bells. */
export const BELL_OPTIONS = {
  pin: wholeNumber('pin', { group: BELL, help: "The servo's pin", ...PINS, fallback: 8 }),
  start: wholeNumber('angle', { group: BELL, help: 'The angle at rest', ...ANGLES, fallback: 75 }),
  strike: wholeNumber('angle', {
    group: BELL,
    help: 'The angle at which the arm hits the bell',
    ...ANGLES,
    fallback: 90,
  }),
  sdelay: wholeNumber('ms', {
    group: BELL,
    help: 'Strike delay: how long the arm stays there',
    from: 20,
    to: 10_000,
    unit: 'ms',
    fallback: 500,
  }),
  pdelay: wholeNumber('ms', {
    group: BELL,
    help: 'Process delay: from the beginning of one command to that of the next, at least sdelay',
    from: 20,
    to: 60_000,
    unit: 'ms',
    fallback: 1000,
  }),
  queue: wholeNumber('rings', {
    group: BELL,
    help: 'How many rings may wait; more are answered 429',
    from: 1,
    to: 100_000,
    fallback: 100,
  }),
  'sweep-from': wholeNumber('angle', {
    group: BELL,
    help: 'The low end of a sweep',
    ...ANGLES,
    fallback: undefined,
    fallbackText: 'clear of the bell',
  }),
  'sweep-to': wholeNumber('angle', {
    group: BELL,
    help: 'The high end of a sweep',
    ...ANGLES,
    fallback: undefined,
    fallbackText: 'clear of the bell',
  }),
} as const;

export const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const;

export const OPTIONS = {
  ...BELL_OPTIONS,
  bells: text('file', {
    group: BELL,
    help: 'JSON file of several bells: [{"id": "desk", "pin": 8}, …]',
    fallback: undefined,
  }),
  board: text('board', {
    group: BOARD,
    help: 'auto (an Arduino on a serial port, or else a simulated one), simulated, raspberry-pi, or the path of a serial port',
    fallback: 'auto',
    pattern: /^(auto|simulated|raspberry-pi|\/.+|COM\d+|\\\\.+)$/,
    wrong: 'must be auto, simulated, raspberry-pi, or the path of a serial port such as /dev/ttyACM0 or COM3',
  }),
  'connect-timeout': wholeNumber('ms', {
    group: BOARD,
    help: 'How long the board may take to answer',
    from: 500,
    to: 60_000,
    unit: 'ms',
    fallback: 8000,
  }),
  'when-lost': choice(['wait', 'refuse'], {
    group: BOARD,
    help: 'What rings do while the board is unplugged',
    fallback: 'wait',
  }),
  'wait-limit': wholeNumber('ms', {
    group: BOARD,
    help: 'How long they wait for it before they fail',
    from: 1000,
    to: 86_400_000,
    unit: 'ms',
    fallback: 60_000,
  }),
  led: wholeNumber('pin', {
    group: BOARD,
    help: 'Pin of a light that shines during a strike',
    ...PINS,
    fallback: undefined,
  }),
  sensor: wholeNumber('pin', {
    group: BOARD,
    help: 'Analog pin of a light sensor that mutes the bell in the dark, 0 for A0',
    from: 0,
    to: 15,
    fallback: undefined,
  }),
  'dark-below': wholeNumber('level', {
    group: BOARD,
    help: "The sensor's level below which it is dark",
    from: 1,
    to: 1023,
    fallback: 100,
  }),
  proto: choice(['http', 'https'], { group: SERVER, help: 'The protocol', fallback: 'http' }),
  host: text('address', {
    group: SERVER,
    help: 'The address to listen at',
    fallback: undefined,
    fallbackText: 'all with a key, 127.0.0.1 without',
    pattern: /^[0-9A-Za-z.:-]{1,253}$/,
    wrong: 'must be an IP address or the name of this machine',
  }),
  port: wholeNumber('port', {
    group: SERVER,
    help: 'The port; 0 for any free one',
    from: 0,
    to: 65_535,
    fallback: 3000,
  }),
  key: text('key', {
    group: SERVER,
    help: 'What every request must carry. Other users of this machine may see it on the command line: BELLBOT_KEY in the environment or in ~/.bellbotrc hides it',
    fallback: undefined,
    isSecret: true,
    pattern: /^[\x21-\x7e]{1,256}$/,
    wrong: 'must be 1 to 256 ASCII characters without spaces',
  }),
  cert: text('file', { group: SERVER, help: 'Certificate chain for https, PEM', fallback: undefined }),
  'cert-key': text('file', { group: SERVER, help: "The certificate's private key, PEM", fallback: undefined }),
  store: text('where', {
    group: RINGS,
    help: 'Where rings and idempotency keys are kept: a file, a PostgreSQL database (postgres://…; needs the package bellwether), or memory, which forgets them at the end',
    fallback: undefined,
    fallbackText: '~/.local/state/bellbot/rings.jsonl',
  }),
  remember: wholeNumber('rings', {
    group: RINGS,
    help: 'How many finished rings are remembered, with their idempotency keys',
    from: 100,
    to: 1_000_000,
    fallback: 10_000,
  }),
  tunnel: flag({
    group: TUNNEL,
    help: 'Opens a public address through ngrok (needs the package @ngrok/ngrok and a key)',
  }),
  'ngrok-token': text('token', {
    group: TUNNEL,
    help: "ngrok's token; NGROK_AUTHTOKEN in the environment does as well",
    fallback: undefined,
    isSecret: true,
    pattern: /^[\x21-\x7e]{1,256}$/,
    wrong: 'must be 1 to 256 ASCII characters without spaces',
  }),
  'ngrok-domain': text('name', { group: TUNNEL, help: 'A domain that is reserved at ngrok', fallback: undefined }),
  config: text('file', { group: OTHER, help: 'The rc file', fallback: undefined, fallbackText: '~/.bellbotrc' }),
  'log-level': choice(LOG_LEVELS, {
    group: OTHER,
    help: 'How much is logged, as JSON, to standard error',
    fallback: 'warn',
  }),
} as const satisfies Readonly<Record<string, Option<unknown>>>;

export type OptionName = keyof typeof OPTIONS;
export type Settings = { readonly [N in OptionName]: (typeof OPTIONS)[N] extends Option<infer T> ? T : never };

export const OPTION_NAMES = Object.keys(OPTIONS) as OptionName[];

export const isOptionName = (name: string): name is OptionName => Object.hasOwn(OPTIONS, name);

/** `BELLBOT_CONNECT_TIMEOUT` for `connect-timeout`. */
export const variableOf = (name: string): string => `BELLBOT_${name.toUpperCase().replaceAll('-', '_')}`;

/** By the XDG base directory specification. */
export function defaultStore(environment: Readonly<NodeJS.ProcessEnv>): string {
  return join(
    environment.XDG_STATE_HOME || join(environment.HOME || homedir(), '.local', 'state'),
    'bellbot',
    'rings.jsonl',
  );
}
