import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { InvalidFieldsError } from './refusals';

interface Cost {
  /** Work and memory: 128 · N · r bytes. */
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

/**
 * 32 MiB and some 0.2 s.
 *
 * @see OWASP, "Password Storage Cheat Sheet", scrypt
 */
const COST: Cost = { N: 2 ** 15, r: 8, p: 3 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;
export const SHORTEST = 10;
export const LONGEST = 200;

const derive = promisify<string, Buffer, number, Cost & { maxmem: number }, Buffer>(scrypt);
const keyOf = (password: string, salt: Buffer, bytes: number, cost: Cost) =>
  derive(password.normalize('NFKC'), salt, bytes, { ...cost, maxmem: 256 * cost.N * cost.r });

/** @returns `scrypt$N$r$p$salt$hash`: the parameters travel with it, so that they can change */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await keyOf(password, salt, HASH_BYTES, COST);
  return ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64url'), hash.toString('base64url')].join('$');
}

/** Takes as long whatever the password; false for what is no hash of this form. */
export async function verifyPassword(password: string, stored: string): Promise<boolean> {
  const read = parse(stored);
  if (!read || password.length > LONGEST) return false;
  const { cost, salt, hash } = read;
  return timingSafeEqual(await keyOf(password, salt, hash.length, cost), hash);
}

/** Whether it was made with other parameters than are in use now: hash it anew when the password is at hand. */
export function isOutdated(stored: string): boolean {
  const cost = parse(stored)?.cost;
  return cost?.N !== COST.N || cost.r !== COST.r || cost.p !== COST.p;
}

/** Takes as long as if there were an account, so that the time does not tell that there is none. */
export async function verifyNothing(password: string): Promise<false> {
  await verifyPassword(password, await (nobody ??= hashPassword(randomBytes(SALT_BYTES).toString('hex'))));
  return false;
}
let nobody: Promise<string> | undefined;

/** @throws InvalidFieldsError on `password` */
export function checkNewPassword(password: string): void {
  const { length } = [...password];
  if (length >= SHORTEST && length <= LONGEST && password.length <= LONGEST) return;
  throw new InvalidFieldsError({ password: [`must have ${SHORTEST} to ${LONGEST} characters`] });
}

function parse(stored: string): { cost: Cost; salt: Buffer; hash: Buffer } | undefined {
  const parts = /^scrypt\$(\d{1,8})\$(\d{1,3})\$(\d{1,3})\$([\w-]+)\$([\w-]+)$/.exec(stored);
  if (!parts) return undefined;
  const [, N, r, p, salt, hash] = parts as unknown as [string, string, string, string, string, string];
  return {
    cost: { N: Number(N), r: Number(r), p: Number(p) },
    salt: Buffer.from(salt, 'base64url'),
    hash: Buffer.from(hash, 'base64url'),
  };
}
