import '../consistency/facts';
import type { ModelSchema } from '../schema/model-schema';
import { classValidatorRules } from '../validation/declared';
import type { Finding } from './finding';

/** The rules that the framework alone holds, since no constraint can express them. */
export function frameworkRules(schema: ModelSchema): Finding[] {
  const finding = (property: string | undefined, what: string): Finding => {
    return { kind: 'framework', model: schema.name, property, what, sql: undefined };
  };
  const locked = 'is polymorphic, so no foreign key can stand beneath it; raw SQL could break it.';
  return [
    ...schema.facts('polymorphic').map(({ property }) => finding(property, locked)),
    ...schema.facts('invariant').map(({ name }) => finding(undefined, `@Invariant "${name}"; raw SQL could break it.`)),
    ...schema
      .facts('lockedBy')
      .map(({ association }) => finding(association, '@LockedBy; raw SQL takes no such lock.')),
    ...schema.facts('validator').map(({ method }) => finding(method, '@Validates.')),
    ...[...classValidatorRules(schema)].map(([property, names]) =>
      finding(property, `class-validator's ${names.join(', ')}.`),
    ),
  ];
}
