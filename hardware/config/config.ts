import { readFileSync } from 'node:fs';
import type { BellSettings, LostPolicy } from '../bell/settings';
import { bellOf, readBellsFile } from './bells-file';
import type { BellsFile } from './bells-file';
import { ConfigError } from './errors';
import type { Given, Source } from './given';
import { defaultStore, isOptionName, OPTION_NAMES, OPTIONS } from './options';
import type { OptionName, Settings } from './options';
import { readRcFile } from './rc-file';
import { readEnvironment } from './environment';
import type { Option } from './values';

/** What BellBot is to do, checked as a whole. */
export interface Config {
  readonly bells: readonly BellSettings[];
  /** `auto`, `simulated`, `raspberry-pi`, or the path of a serial port. */
  readonly board: string;
  readonly connectTimeoutMs: number;
  readonly whenLost: LostPolicy;
  readonly waitLimitMs: number;
  readonly led: number | undefined;
  readonly sensor: { readonly pin: number; readonly darkBelow: number } | undefined;
  readonly proto: 'http' | 'https';
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** Undefined for all addresses of this machine. */
  readonly host: string | undefined;
  readonly port: number;
  readonly key: string | undefined;
  /** `memory`, a path, or the address of a database. */
  readonly store: string;
  readonly remember: number;
  readonly tunnel: { readonly token: string | undefined; readonly domain: string | undefined } | undefined;
  readonly logLevel: Settings['log-level'];
  readonly settings: Settings;
  /** Where each setting comes from, for those that are not defaults. */
  readonly origins: ReadonlyMap<OptionName, string>;
  readonly warnings: readonly string[];
}

export const LOOPBACK = '127.0.0.1';
const LOOPBACK_HOSTS: readonly (string | undefined)[] = [LOOPBACK, '::1', 'localhost'];

/** @throws ConfigError with all mistakes of all sources */
export function resolveConfig(commandLine: Source, environment: Readonly<NodeJS.ProcessEnv>): Config {
  const early = [commandLine, readEnvironment(environment)];
  const rcPath = early.flatMap(({ given }) => given).find(({ name }) => name === 'config')?.text;
  const rc = readRcFile(rcPath, environment);
  const sources = [...early, rc];
  const mistakes = sources.flatMap((source) => source.mistakes);
  const { settings, origins } = settle(
    sources.flatMap(({ given }) => given),
    mistakes,
  );
  const { bells, mistakes: ofBells } = bellsOf(settings, origins);
  mistakes.push(...ofBells, ...mistakesTogether(settings, bells, origins));
  const tls = tlsOf(settings, mistakes);
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  return { ...configOf(settings, environment), bells, tls, settings, origins, warnings: rc.warnings };
}

/** The value of each option: of those given, the first counts; the others are read too, for their mistakes. */
function settle(given: readonly Given[], mistakes: string[]): Pick<Config, 'settings' | 'origins'> {
  const values = new Map<OptionName, unknown>(OPTION_NAMES.map((name) => [name, OPTIONS[name].fallback]));
  const origins = new Map<OptionName, string>();
  for (const { name, text, from } of given) {
    const option: Option<unknown> = OPTIONS[name];
    const reading = text === undefined || text === '' ? { wrong: 'has no value' } : option.read(text);
    if ('wrong' in reading) {
      const shown = option.isSecret || !text ? name : `${name}=${text}`;
      mistakes.push(`${shown} (${from}): ${reading.wrong}.`);
    } else if (!origins.has(name)) {
      values.set(name, reading.value);
      origins.set(name, from);
    }
  }
  return { settings: Object.fromEntries(values) as Settings, origins };
}

function bellsOf(settings: Settings, origins: Config['origins']): BellsFile {
  const { bells: path } = settings;
  if (path === undefined) return { bells: [bellOf('bell', settings)], mistakes: [] };
  const file = readBellsFile(path, settings);
  const pinFrom = origins.get('pin');
  if (pinFrom === undefined) return file;
  return {
    ...file,
    mistakes: [...file.mistakes, `pin (${pinFrom}): is for one bell; the bells file says it of each.`],
  };
}

/** What no option shows by itself. */
function mistakesTogether(settings: Settings, bells: readonly BellSettings[], origins: Config['origins']): string[] {
  const { host, key, led, sensor, proto, cert, 'cert-key': certKey } = settings;
  const pins = [
    ...bells.map(({ id, pin }) => [pin, `the bell "${id}"`] as const),
    ...(led === undefined ? [] : [[led, 'led'] as const]),
  ];
  const isTwice = <T>(value: T, index: number, all: readonly T[]) => all.indexOf(value) !== index;
  const rules: readonly (readonly [isWrong: boolean, mistake: string])[] = [
    [
      key === undefined && host !== undefined && !LOOPBACK_HOSTS.includes(host),
      `host=${host}: needs a key, or others could ring. Set key, or leave host out.`,
    ],
    [proto === 'https' && !(cert && certKey), 'proto=https: needs cert and cert-key.'],
    [proto === 'http' && Boolean(cert ?? certKey), 'cert and cert-key: are for proto=https.'],
    [sensor === undefined && origins.has('dark-below'), 'dark-below: needs a sensor.'],
  ];
  return [
    ...bells.flatMap(mistakesOfBell),
    ...bells
      .map(({ id }) => id)
      .filter(isTwice)
      .map((id) => `id "${id}": is given to two bells.`),
    ...pins
      .filter(([pin], index) => pins.findIndex(([other]) => other === pin) !== index)
      .map(([pin, whose]) => `pin ${pin}: is used by ${pins.find(([other]) => other === pin)![1]} and ${whose}.`), // found: itself at least
    ...rules.filter(([isWrong]) => isWrong).map(([, mistake]) => mistake),
  ];
}

function mistakesOfBell({ id, start, strike, sdelay, pdelay, sweepFrom, sweepTo }: BellSettings): string[] {
  const whose = id === 'bell' ? '' : ` (the bell "${id}")`;
  return [
    ...(start === strike ? [`start=${start}, strike=${strike}${whose}: are the same, so the arm would not move.`] : []),
    ...(pdelay < sdelay ? [`pdelay=${pdelay}${whose}: must be at least sdelay (${sdelay} ms).`] : []),
    ...(sweepFrom >= sweepTo ? [`sweep-from=${sweepFrom}${whose}: must be less than sweep-to (${sweepTo}).`] : []),
  ];
}

function tlsOf({ cert, 'cert-key': key }: Settings, mistakes: string[]): Config['tls'] {
  if (cert === undefined || key === undefined) return undefined;
  const read = (name: string, path: string) => {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      mistakes.push(`${name}=${path}: cannot be read (${(error as NodeJS.ErrnoException).code}).`);
      return '';
    }
  };
  return { cert: read('cert', cert), key: read('cert-key', key) };
}

function configOf(settings: Settings, environment: Readonly<NodeJS.ProcessEnv>) {
  const { board, led, sensor, proto, port, key, remember, tunnel } = settings;
  return {
    board,
    connectTimeoutMs: settings['connect-timeout'],
    whenLost: settings['when-lost'],
    waitLimitMs: settings['wait-limit'],
    led,
    sensor: sensor === undefined ? undefined : { pin: sensor, darkBelow: settings['dark-below'] },
    proto,
    host: settings.host ?? (key === undefined ? LOOPBACK : undefined),
    port,
    key,
    store: settings.store ?? defaultStore(environment),
    remember,
    tunnel: tunnel ? { token: settings['ngrok-token'], domain: settings['ngrok-domain'] } : undefined,
    logLevel: settings['log-level'],
  };
}

const MASK = '********';

/** The configuration in effect, a line for each option, without keys and passwords. */
export function describeConfig({ settings, origins, bells, host, store }: Config): string {
  const effective: Readonly<Record<string, string | number | boolean | undefined>> = {
    ...settings,
    host: host ?? 'all',
    store,
  };
  const rows = Object.entries(effective).map(([name, value]) => {
    const isSecret = isOptionName(name) && (OPTIONS[name] as Option<unknown>).isSecret;
    const shown = value === undefined ? '-' : isSecret ? MASK : withoutPassword(String(value));
    return [name, shown, isOptionName(name) ? (origins.get(name) ?? 'default') : ''] as const;
  });
  const [names, values] = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]!.length))); // both columns are there
  const lines = rows.map(([name, value, from]) => `${name.padEnd(names!)}  ${value.padEnd(values!)}  ${from}`);
  return [...lines, ...(settings.bells === undefined ? [] : bells.map((bell) => `bell ${JSON.stringify(bell)}`))].join(
    '\n',
  );
}

/** Of the address of a database. */
export const withoutPassword = (text: string): string =>
  text.replace(/^(\w+:\/\/[^:@/]*):[^@]*@/, `$1:${MASK}@`).replace(/([?&]password=)[^&]*/, `$1${MASK}`);
