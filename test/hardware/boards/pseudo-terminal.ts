import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, constants, existsSync, openSync } from 'node:fs';
import { FirmataEmulator } from '../../../hardware/boards/firmata-emulator';

export const hasSocat = spawnSync('socat', ['-V']).status === 0;

/** An emulated Arduino at the end of a pseudo-terminal, which is a serial port to whoever opens it. */
export class PseudoTerminal {
  readonly emulator = new FirmataEmulator((bytes) => this.isSilent || this.noise(bytes));
  isSilent = false;
  #socat: ChildProcess | undefined;
  /** socat ends when nobody has the terminal open any more; an Arduino does not. */
  #held: number | undefined;

  constructor(readonly path: string) {}

  async plugIn(): Promise<void> {
    const socat = spawn('socat', ['-', `pty,rawer,link=${this.path}`], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#socat = socat;
    socat.stdin.on('error', () => this.emulator.stop()); // unplugged while it wrote
    socat.stdout.on('data', (bytes: Buffer) => this.emulator.receive(bytes));
    while (!existsSync(this.path)) await new Promise((resolve) => setTimeout(resolve, 10));
    this.#held = openSync(this.path, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
  }

  async unplug(): Promise<void> {
    const socat = this.#socat;
    this.#socat = undefined;
    if (socat === undefined) return;
    const gone = new Promise((resolve) => socat.once('close', resolve));
    socat.kill();
    await gone;
    closeSync(this.#held!);
  }

  noise(bytes: readonly number[]): void {
    this.#socat?.stdin?.write(Uint8Array.from(bytes));
  }
}
