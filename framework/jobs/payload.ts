import type { Json } from '../core/json';
import { InvalidPayloadError } from './errors';

/** A payload: an object of such values. */
export type JsonObject<P> = { [K in keyof P]: Json<P[K]> };

/** Of a job that needs to be told nothing. */
export type NoPayload = Record<string, never>;

/** @throws InvalidPayloadError naming the place of the first value that JSON would lose or change, never the value */
export function assertJsonObject(job: string, payload: unknown): asserts payload is object {
  if (!isPlainObject(payload)) throw new InvalidPayloadError(job, 'payload', nameOf(payload));
  assertJson(job, payload, 'payload', new Set());
}

function assertJson(job: string, value: unknown, path: string, within: Set<object>): void {
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) return;
  const isList = Array.isArray(value);
  if (!isList && !isPlainObject(value)) throw new InvalidPayloadError(job, path, nameOf(value));
  if (within.has(value)) throw new InvalidPayloadError(job, path, 'an object that contains itself');
  within.add(value);
  for (const [key, member] of isList ? value.entries() : Object.entries(value)) {
    assertJson(job, member, isList ? `${path}[${key}]` : `${path}.${key}`, within);
  }
  within.delete(value);
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  // By its own prototype's prototype, for objects of another realm are plain too.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function nameOf(value: unknown): string {
  if (typeof value === 'number') return 'a number that is not finite';
  if (Array.isArray(value)) return 'an array';
  if (typeof value !== 'object' || value === null) return `${value === null ? 'null' : typeof value}`;
  return `a ${value.constructor.name || 'class instance'}`;
}
