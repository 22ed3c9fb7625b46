import { isAtLeast } from '../theory/isolation';
import { NestedTransactionError } from './errors';
import type { TransactionOptions } from './options';
import type { Scope } from './scope';

/**
 * What an inner transaction asks for must be had from the outer one, which has begun already.
 *
 * @throws NestedTransactionError naming both
 */
export function assertFits({ transaction }: Scope, inner: TransactionOptions): void {
  const { isolation, options: outer } = transaction;
  const asks = inner.name === undefined ? 'A nested transaction asks' : `"${inner.name}" asks`;
  const around = outer.name === undefined ? 'one' : `"${outer.name}"`;
  const refuse = (what: string, remedy: string): never => {
    const details = { outer: isolation, inner: inner.isolation, outerName: outer.name, innerName: inner.name };
    throw new NestedTransactionError({ what, remedy, details });
  };
  if (inner.isolation !== undefined && !isAtLeast(isolation, inner.isolation)) {
    refuse(
      `${asks} for ${inner.isolation} inside ${around}, which runs at ${isolation}.`,
      `Begin the outer transaction at ${inner.isolation}; a running transaction cannot be strengthened.`,
    );
  }
  const isReadOnly = outer.readOnly ?? false;
  if (inner.readOnly !== undefined && inner.readOnly !== isReadOnly) {
    refuse(
      `${asks} for readOnly: ${inner.readOnly} inside ${around}, which has readOnly: ${isReadOnly}.`,
      'Say readOnly on the outer transaction only, or the same on both.',
    );
  }
}
