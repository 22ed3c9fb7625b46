import { readdir } from 'node:fs/promises';
import { SerialPort } from 'serialport';
import { BoardError } from '../errors';

export interface PortInfo {
  readonly path: string;
  /** Four hexadecimal digits of the USB vendor. */
  readonly vendorId?: string | undefined;
}

/** Arduino (two ids), then those who make the USB chips of its clones: WCH, FTDI, Silicon Labs. */
const ARDUINO_VENDORS = ['2341', '2a03', '1a86', '0403', '10c4'];
const USB_PORT = /usb|acm|^com\d/i;
const LINUX_USB_PORT = /^tty(ACM|USB)\d+$/;

/** Ports on which an Arduino may be, the likeliest first. */
export async function arduinoPorts(
  list: () => Promise<readonly PortInfo[]> = () => SerialPort.list(),
  devices = '/dev',
): Promise<readonly string[]> {
  const ports = (await listed(list, devices)).filter(({ path }) => USB_PORT.test(path));
  const rank = ({ vendorId = '' }: PortInfo) => {
    const known = ARDUINO_VENDORS.indexOf(vendorId.toLowerCase());
    return known < 0 ? ARDUINO_VENDORS.length : known;
  };
  return ports.sort((a, b) => rank(a) - rank(b) || a.path.localeCompare(b.path)).map(({ path }) => path);
}

/** How the system says that it has no such program, or none in the folders that this user may search. */
const NO_PROGRAM = ['ENOENT', 'EACCES'];

/** On Linux the list is udevadm's, which slim images and busybox lack: there the names of the devices must do. */
async function listed(list: () => Promise<readonly PortInfo[]>, devices: string): Promise<PortInfo[]> {
  try {
    return [...(await list())];
  } catch (error) {
    if (!NO_PROGRAM.includes((error as NodeJS.ErrnoException).code ?? '')) {
      throw new BoardError({
        what: 'The serial ports can not be listed.',
        remedy: 'Name the port of the Arduino with --board.',
        cause: error,
      });
    }
    const names = (await readdir(devices)).filter((name) => LINUX_USB_PORT.test(name));
    return names.map((name) => ({ path: `${devices}/${name}` }));
  }
}
