import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import type { ValidationError as Finding } from 'class-validator';
import type { Class } from './api';
import { InvalidFieldsError } from './refusals';

/**
 * What came with a request, as an object of the class that describes it.
 *
 * @throws InvalidFieldsError naming what is wrong with each field, those that the class does not know among them
 */
export function checked<T>(type: Class<T>, fields: Readonly<Record<string, unknown>>): T {
  const instance = plainToInstance(type, { ...fields }, { exposeDefaultValues: true });
  const findings = validateSync(instance as object, { whitelist: true, forbidNonWhitelisted: true });
  if (findings.length === 0) return instance;
  throw new InvalidFieldsError(Object.fromEntries(findings.flatMap((finding) => messagesOf(finding))));
}

function messagesOf({ property, constraints, children }: Finding, above = ''): [string, string[]][] {
  const path = `${above}${property}`;
  const own = Object.entries(constraints ?? {}).map(([rule, message]) =>
    rule === 'whitelistValidation' ? 'is not known here' : withoutName(message, property),
  );
  const below = (children ?? []).flatMap((child) => messagesOf(child, `${path}.`));
  return own.length > 0 ? [[path, own], ...below] : below;
}

/** class-validator's messages begin with the property, which the reader is told already. */
const withoutName = (message: string, property: string): string =>
  message.startsWith(`${property} `) ? message.slice(property.length + 1) : message;
