import type { Request } from 'express';
import type { RingRequest } from '../bell/bell-service';
import type { RingKind } from '../bell/ring';
import { fieldsOf, textOf } from './body';
import type { Fields } from './body';
import { InvalidRequestError } from './errors';

const MAX_TEXT = 200;
const MAX_WAIT_SECONDS = 60;

/** What a request of this server's own form asks for. @throws InvalidRequestError */
export function ringRequestOf(request: Request, kind: RingKind): RingRequest {
  const fields = fieldsOf(request);
  const sale = saleOf(fields);
  return {
    kind,
    bell: bellOf(request),
    by: textOf(fields, 'by', MAX_TEXT),
    why: textOf(fields, 'why', MAX_TEXT) ?? (sale && `sale ${sale}`),
    idempotencyKey: idempotencyKeyOf(request, fields) ?? (sale && `sale:${sale}`),
  };
}

/** By the address, or by the body. */
export function bellOf(request: Request): string | undefined {
  const inAddress = request.params.id;
  const inBody = textOf(fieldsOf(request), 'bell', MAX_TEXT);
  if (typeof inAddress !== 'string') return inBody;
  if (inBody !== undefined && inBody !== inAddress) {
    throw new InvalidRequestError('The address and the body name two bells.', 'Name one.');
  }
  return inAddress;
}

/** A sale rings once, however often it is told: its number is an idempotency key. */
function saleOf(fields: Fields): string | undefined {
  const { sale } = fields;
  return typeof sale === 'number' && Number.isFinite(sale) ? String(sale) : textOf(fields, 'sale', MAX_TEXT - 5);
}

/** Of the header `Idempotency-Key`, where it may stand in quotes, or of the body. */
function idempotencyKeyOf(request: Request, fields: Fields): string | undefined {
  const inHeader = request.get('idempotency-key')?.replace(/^"(.*)"$/, '$1');
  const inBody = textOf(fields, 'idempotency_key', MAX_TEXT);
  if (inHeader !== undefined && inBody !== undefined && inHeader !== inBody) {
    throw new InvalidRequestError('The header and the body carry two idempotency keys.', 'Send one.');
  }
  if (inHeader !== undefined && !/^[\x20-\x7e]{1,200}$/.test(inHeader)) {
    throw new InvalidRequestError(`The idempotency key is empty, or longer than ${MAX_TEXT} characters, or not ASCII.`);
  }
  return inHeader ?? inBody;
}

/** How long the caller prefers to wait for the outcome (RFC 7240), in seconds. What makes no sense is no preference. */
export function preferredWaitOf(request: Request): number | undefined {
  const seconds = /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:[,;]|$)/i.exec(request.get('prefer') ?? '')?.[1];
  return seconds === undefined ? undefined : Math.min(Number(seconds), MAX_WAIT_SECONDS);
}
