import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readCommandLine } from '../../hardware/config/command-line';
import { describeConfig, resolveConfig } from '../../hardware/config/config';
import { ConfigError } from '../../hardware/config/errors';
import { OPTION_NAMES, OPTIONS, variableOf } from '../../hardware/config/options';
import type { OptionName } from '../../hardware/config/options';
import { parseRc } from '../../hardware/config/rc-file';

let home: string;
beforeEach(() => (home = mkdtempSync(join(tmpdir(), 'bellbot-home-'))));
afterEach(() => rmSync(home, { recursive: true, force: true }));

const file = (name: string, content: string) => {
  const path = join(home, name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
};
const rc = (content: string) => file('.bellbotrc', content);
const resolve = (args: readonly string[] = [], environment: Record<string, string> = {}) =>
  resolveConfig(readCommandLine(args, '1.2.3'), { HOME: home, ...environment });

function mistakesOf(args: readonly string[], environment: Record<string, string> = {}): readonly string[] {
  try {
    resolve(args, environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.mistakes;
    throw error;
  }
  return [];
}

/** For each option a good value that is not the default, and bad ones. */
const VALUES: Readonly<
  Record<
    OptionName,
    { readonly good: string; readonly is?: unknown; readonly bad: readonly string[]; readonly with?: readonly string[] }
  >
> = {
  pin: { good: '9', is: 9, bad: ['1', '54', '-1', '8.5', 'x', '0x8', '1e1', ' 8'] },
  start: { good: '60', is: 60, bad: ['181', '-1', 'NaN'] },
  strike: { good: '100', is: 100, bad: ['181', 'Infinity'] },
  sdelay: { good: '300', is: 300, bad: ['19', '10001', '0.5'] },
  pdelay: { good: '2000', is: 2000, bad: ['19', '60001'] },
  queue: { good: '5', is: 5, bad: ['0', '100001'] },
  'sweep-from': { good: '10', is: 10, bad: ['181'] },
  'sweep-to': { good: '90', is: 90, bad: ['181'] },
  bells: { good: 'bells.json', bad: [' '] },
  board: { good: '/dev/ttyACM7', bad: ['arduino', 'ttyACM0'] },
  'connect-timeout': { good: '3000', is: 3000, bad: ['499', '60001'] },
  'when-lost': { good: 'refuse', bad: ['drop', 'Wait'] },
  'wait-limit': { good: '5000', is: 5000, bad: ['999', '86400001'] },
  led: { good: '13', is: 13, bad: ['1', '54'] },
  sensor: { good: '0', is: 0, bad: ['16', 'A0'] },
  'dark-below': { good: '200', is: 200, bad: ['0', '1024'], with: ['sensor=1'] },
  proto: { good: 'http', bad: ['ftp', 'HTTP'] },
  host: { good: 'localhost', bad: ['a b', 'http://x'] },
  port: { good: '8080', is: 8080, bad: ['65536', '-1', '80a', '3000.0'] },
  key: { good: 's3cret-key', bad: ['with space', 'ünicode', 'x'.repeat(257)] },
  cert: { good: 'cert.pem', bad: [' '] },
  'cert-key': { good: 'key.pem', bad: [' '] },
  store: { good: 'memory', bad: [' '] },
  remember: { good: '500', is: 500, bad: ['99', '1000001'] },
  tunnel: { good: 'true', is: true, bad: ['maybe'] },
  'ngrok-token': { good: 'tok3n', bad: ['a b'] },
  'ngrok-domain': { good: 'bell.example', bad: [' '] },
  config: { good: 'rc', bad: [] },
  'log-level': { good: 'debug', bad: ['loud'] },
};

const SOURCES: readonly (readonly [string, (name: OptionName, value: string) => [string[], Record<string, string>]])[] =
  [
    ['--name value', (name, value) => [name === 'tunnel' ? ['--tunnel'] : [`--${name}`, value], {}]],
    ['--name=value', (name, value) => [[`--${name}=${value}`], {}]],
    ['name=value', (name, value) => [[`${name}=${value}`], {}]],
    ['the environment', (name, value) => [[], { [variableOf(name)]: value }]],
    ['the rc file, with export', (name, value) => (rc(`export ${variableOf(name)}='${value}'\n`), [[], {}])],
    ['the rc file, plain', (name, value) => (rc(`# bell\n\n${variableOf(name)}=${value} # so\n`), [[], {}])],
    ["the rc file, by the option's own name", (name, value) => (rc(`${name}="${value}"\r\n`), [[], {}])],
  ];

const NEED_FILES: readonly OptionName[] = ['bells', 'cert', 'cert-key', 'config'];

describe.each(SOURCES)('given as %s', (source, give) => {
  test.each(OPTION_NAMES.filter((name) => !NEED_FILES.includes(name)))('%s', (name) => {
    const { good, is = good, with: others = [] } = VALUES[name];
    const [args, environment] = give(name, good);
    const { settings, origins } = resolve([...args, ...others], environment);
    expect(settings[name]).toBe(is);
    expect(origins.get(name)).toMatch(
      source.includes('rc') ? /^~\/\.bellbotrc, line \d$/ : source.includes('env') ? 'environment' : 'command line',
    );
  });

  test('a bad value is a mistake that names option, value, source and range', () => {
    const [args, environment] = give('strike', '200');
    const from = source.includes('rc')
      ? '~/.bellbotrc, line '
      : source.includes('env')
        ? 'environment'
        : 'command line';
    expect(mistakesOf(args, environment)).toEqual([
      expect.stringMatching(
        new RegExp(`^strike=200 \\(${from}\\d?\\): must be a whole number from 0 to 180 \\(degrees\\)\\.$`),
      ),
    ]);
  });
});

test.each(OPTION_NAMES.flatMap((name) => VALUES[name].bad.map((bad) => [name, bad] as const)))(
  '%s=%j is refused',
  (name, bad) => {
    const mistakes = mistakesOf([`${name}=${bad}`, ...(VALUES[name].with ?? [])]);
    expect(mistakes).toHaveLength(1);
    expect(mistakes[0]).toContain(name);
  },
);

test('every option has the default that the help tells, and changes something when it is given', () => {
  const { settings } = resolve();
  for (const name of OPTION_NAMES) expect(settings[name]).toBe(OPTIONS[name].fallback);
  expect(resolve()).toMatchObject({
    bells: [
      { id: 'bell', pin: 8, start: 75, strike: 90, sdelay: 500, pdelay: 1000, queue: 100, sweepFrom: 0, sweepTo: 75 },
    ],
    proto: 'http',
    port: 3000,
    host: '127.0.0.1',
    key: undefined,
    board: 'auto',
    whenLost: 'wait',
    sensor: undefined,
    tunnel: undefined,
    store: join(home, '.local/state/bellbot/rings.jsonl'),
  });
});

test('the command line counts more than the environment, and that more than the rc file', () => {
  rc('BELLBOT_PIN=10\nBELLBOT_START=10\nBELLBOT_STRIKE=20\n');
  const { settings } = resolve(['pin=12'], { BELLBOT_PIN: '11', BELLBOT_START: '11' });
  expect([settings.pin, settings.start, settings.strike, settings.sdelay]).toEqual([12, 11, 20, 500]);
});

test('what is overridden is looked at all the same', () => {
  expect(mistakesOf(['pin=12'], { BELLBOT_PIN: 'x' })).toEqual([
    'pin=x (environment): must be a whole number from 2 to 53.',
  ]);
});

test('all mistakes of all sources are named at once', () => {
  rc('export BELLBOT_STRIKE=999\nBELLBOT_KYE=abc\nnonsense here\nPATH=/bin\n');
  const args = [
    '--prot',
    '3000',
    'foo',
    '--pin',
    '99',
    'port=',
    '--start',
    '-5',
    '-x',
    'Pin=8',
    '--sdelay=700',
    'pdelay=600',
    '--led',
    '--queue',
    '1',
    'queue=2',
  ];
  expect(mistakesOf(args, { BELLBOT_SDELY: '1', BELLBOT_KEY: '' })).toEqual([
    '--prot: there is no such option. Did you mean --proto?',
    '"foo": is not understood. Options are written --name value or name=value.',
    '-x: there is no such option.',
    'Pin: there is no such option. Did you mean pin?',
    'queue (command line): is given 2 times.',
    'BELLBOT_SDELY (environment): there is no such option. Did you mean BELLBOT_SDELAY?',
    'BELLBOT_KYE (~/.bellbotrc, line 2): there is no such option. Did you mean key?',
    '~/.bellbotrc, line 3: is no line NAME=value.',
    'PATH (~/.bellbotrc, line 4): there is no such option.',
    'pin=99 (command line): must be a whole number from 2 to 53.',
    'start=-5 (command line): must be a whole number from 0 to 180 (degrees).',
    'led (command line): has no value.',
    'port (command line): has no value.',
    'key (environment): has no value.',
    'strike=999 (~/.bellbotrc, line 1): must be a whole number from 0 to 180 (degrees).',
    'pdelay=600: must be at least sdelay (700 ms).',
  ]);
});

test.each([
  [75, 90, [0, 75]],
  [75, 60, [75, 180]],
  [0, 40, [0, 20]],
  [180, 100, [140, 180]],
])('with start=%d and strike=%d a sweep keeps clear of the bell: %p', (start, strike, range) => {
  const [bell] = resolve([`start=${start}`, `strike=${strike}`]).bells;
  expect([bell!.sweepFrom, bell!.sweepTo]).toEqual(range);
});

test.each([
  [['start=90'], 'start=90, strike=90: are the same, so the arm would not move.'],
  [['sdelay=1001'], 'pdelay=1000: must be at least sdelay (1001 ms).'],
  [['sweep-from=90', 'sweep-to=90'], 'sweep-from=90: must be less than sweep-to (90).'],
  [['host=0.0.0.0'], 'host=0.0.0.0: needs a key, or others could ring. Set key, or leave host out.'],
  [['led=8'], 'pin 8: is used by the bell "bell" and led.'],
  [['dark-below=5'], 'dark-below: needs a sensor.'],
  [['proto=https'], 'proto=https: needs cert and cert-key.'],
  [['cert=x', 'cert-key=x'], 'cert and cert-key: are for proto=https.'],
  [['config=/nowhere/rc'], '/nowhere/rc: cannot be read (ENOENT).'],
  [['bells=/nowhere/bells.json'], '/nowhere/bells.json: cannot be read (ENOENT).'],
])('%j does not go together', (args, mistake) => {
  expect(mistakesOf(args)).toContain(mistake);
});

test('a key opens the server to all addresses, none closes it to this machine', () => {
  expect(resolve().host).toBe('127.0.0.1');
  expect(resolve(['key=abc']).host).toBeUndefined();
  expect(resolve(['key=abc', 'host=127.0.0.1']).host).toBe('127.0.0.1');
  for (const host of ['localhost', '::1', '127.0.0.1']) expect(resolve([`host=${host}`]).host).toBe(host);
});

test("the rc file's key is taken, quoted, exported or plain; one that others can read is warned of", () => {
  for (const line of [
    'export BELLBOT_KEY=abc',
    'BELLBOT_KEY=abc',
    "  export BELLBOT_KEY='abc'  ",
    'BELLBOT_KEY="abc" # the key',
    '\uFEFFkey=abc',
  ]) {
    rc(`${line}\n`);
    expect(resolve()).toMatchObject({ key: 'abc', warnings: [] });
  }
  chmodSync(join(home, '.bellbotrc'), 0o644);
  expect(resolve().warnings).toEqual(['~/.bellbotrc holds a key and others can read it: chmod 600 ~/.bellbotrc']);
});

test('lines of the rc file that make no sense are not repeated, for they may hold a key', () => {
  const { mistakes } = parseRc('BELLBOT_KEY = my secret\nexport\n=x\nkey="abc\n', 'rc');
  expect(mistakes).toEqual([1, 2, 3, 4].map((line) => `rc, line ${line}: is no line NAME=value.`));
});

test('a key that is refused is not shown', () => {
  expect(mistakesOf(['key=not shown'])).toEqual([
    'key (command line): must be 1 to 256 ASCII characters without spaces.',
  ]);
});

describe('a bells file', () => {
  test('says what is different for each bell; the options say the rest', () => {
    const path = file(
      'bells.json',
      '[{"id": "desk", "pin": 8}, {"id": "door-2", "pin": 9, "start": 10, "strike": 40, "sweep-to": 60}]',
    );
    const { bells } = resolve([`bells=${path}`, 'sdelay=300', 'start=70']);
    expect(bells).toMatchObject([
      { id: 'desk', pin: 8, start: 70, strike: 90, sdelay: 300, sweepTo: 70 },
      { id: 'door-2', pin: 9, start: 10, strike: 40, sdelay: 300, sweepTo: 60 },
    ]);
    expect(resolve([`bells=${file('object.json', '{"bells": [{"id": "a", "pin": 2}]}')}`]).bells).toHaveLength(1);
  });

  test('has its mistakes named, each', () => {
    const path = file(
      'bells.json',
      JSON.stringify([
        { id: 'desk', pin: 8, stat: 7, start: 181 },
        { id: 'Desk!', pin: '9' },
        { id: 'desk' },
        'bell',
        { id: 'same', pin: 8, start: 90, sdelay: 2000 },
      ]),
    );
    expect(mistakesOf([`bells=${path}`, 'pin=8'])).toEqual([
      `${path}, bell 1: stat: there is no such setting of a bell. There are: id, pin, start, strike, sdelay, pdelay, queue, sweep-from, sweep-to.`,
      `${path}, bell 1: start=181: must be a whole number from 0 to 180 (degrees).`,
      `${path}, bell 2: id must be of small letters, digits and dashes, such as "desk".`,
      `${path}, bell 2: pin="9": must be a number.`,
      `${path}, bell 3: pin is missing.`,
      `${path}, bell 4: is not an object such as {"id": "desk", "pin": 8}.`,
      'pin (command line): is for one bell; the bells file says it of each.',
      'start=90, strike=90 (the bell "same"): are the same, so the arm would not move.',
      'pdelay=1000 (the bell "same"): must be at least sdelay (2000 ms).',
      'id "desk": is given to two bells.',
      expect.stringContaining('pin 8: is used by the bell "desk" and'),
      expect.stringContaining('pin 8: is used by the bell "desk" and'),
      expect.stringContaining('pin 8: is used by the bell "desk" and'),
      'pin 8: is used by the bell "desk" and the bell "same".',
    ]);
  });

  test.each(['{', '[]', '{}', '7', 'null', JSON.stringify(Array(33).fill({ id: 'a', pin: 8 }))])(
    '%j is none',
    (content) => {
      expect(mistakesOf([`bells=${file('bells.json', content)}`])[0]).toMatch(
        /is not JSON|must be a list of 1 to 32 bells/,
      );
    },
  );
});

test('https takes a certificate', () => {
  const [cert, key] = [file('cert.pem', 'CERT'), file('key.pem', 'KEY')];
  expect(resolve(['proto=https', `cert=${cert}`, `cert-key=${key}`]).tls).toEqual({ cert: 'CERT', key: 'KEY' });
  expect(mistakesOf(['proto=https', `cert=${cert}`, 'cert-key=/nowhere'])).toEqual([
    'cert-key=/nowhere: cannot be read (ENOENT).',
  ]);
});

test("ngrok's own variable gives its token", () => {
  expect(resolve(['--tunnel'], { NGROK_AUTHTOKEN: 'a' }).tunnel?.token).toBe('a');
  expect(resolve(['--tunnel'], { NGROK_AUTHTOKEN: 'a', BELLBOT_NGROK_TOKEN: 'b' }).tunnel?.token).toBe('b');
});

test('--help tells each option with unit, range and default', () => {
  const { answer } = readCommandLine(['--help'], '1.2.3');
  for (const name of OPTION_NAMES) expect(answer).toContain(`--${name}`);
  const text = answer!.replace(/\s+/g, ' ');
  expect(text).toContain('--sdelay [ms] Strike delay: how long the arm stays there (20–10000 ms; default: 500)');
  expect(text).toContain('(0–180 degrees; default: 75)');
  expect(readCommandLine(['--version'], '1.2.3').answer).toBe('1.2.3');
  expect(readCommandLine(['pin=99', '--help'], '1.2.3').answer).toContain('--pin');
});

test('--check shows what is in effect and where it comes from, without keys and passwords', () => {
  rc('BELLBOT_KEY=s3cret-of-rc\n');
  const args = ['--check', 'pin=9', 'store=postgres://ann:pa55@host/db?password=pa55'];
  expect(readCommandLine(args, '').isCheck).toBe(true);
  const shown = describeConfig(resolve(args, { BELLBOT_NGROK_TOKEN: 't0ken' }));
  expect(shown).toMatch(/^pin +9 +command line$/m);
  expect(shown).toMatch(/^start +75 +default$/m);
  expect(shown).toMatch(/^key +\*{8} +~\/\.bellbotrc, line 1$/m);
  expect(shown).toContain('postgres://ann:********@host/db?password=********');
  for (const secret of ['s3cret', 'pa55', 't0ken']) expect(shown).not.toContain(secret);
});
