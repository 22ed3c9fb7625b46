import type { RecordState, Stateful } from '../attributes/record-state';
import { STATE } from '../attributes/record-state';
import type { Column, ModelSchema } from '../schema/model-schema';
import { modelRegistry } from '../schema/registry';
import type { Association } from './association';
import { columnFact, parentsOf, typeNameOf } from './association';
import { UnknownParentTypeError } from './errors';
import { namedTargets } from './facts';
import type { PolymorphicFact } from './facts';

/** A belongsTo whose other end is of one of several models; which, a column beside the key says. */
export interface PolymorphicParent extends Pick<PolymorphicFact, 'property' | 'isOptional'> {
  readonly kindOf: 'polymorphic';
  readonly owner: ModelSchema;
  readonly foreignKey: Column;
  readonly foreignType: Column;
  /** As a plain belongsTo of each of the models, by what stands for it. */
  readonly towards: ReadonlyMap<string, Association>;
}

const resolved = new WeakMap<ModelSchema, ReadonlyMap<string, PolymorphicParent>>();

/** The polymorphic belongsTo associations of a model, by property. */
export function polymorphicParentsOf(schema: ModelSchema): ReadonlyMap<string, PolymorphicParent> {
  let parents = resolved.get(schema);
  if (!parents) {
    parents = new Map(schema.facts('polymorphic').map((fact) => [fact.property, resolve(schema, fact)]));
    resolved.set(schema, parents);
  }
  return parents;
}

function resolve(owner: ModelSchema, fact: PolymorphicFact): PolymorphicParent {
  const { property, isOptional } = fact;
  const foreignKey = owner.column(fact.foreignKey)!;
  const foreignType = owner.column(fact.foreignType)!;
  const towards = namedTargets(fact).map(([value, model]): [string, Association] => {
    const target = modelRegistry.schemaOf(model);
    const typeKey = { column: foreignType, value };
    const [dependent, as] = [undefined, undefined];
    return [value, { kindOf: 'belongsTo', property, owner, target, foreignKey, typeKey, isOptional, dependent, as }];
  });
  return { kindOf: 'polymorphic', property, owner, foreignKey, foreignType, isOptional, towards: new Map(towards) };
}

/** As the plain belongsTo that it is for a record now; undefined where no model, or an unknown one, is named. */
export function narrowed({ foreignType, towards }: PolymorphicParent, state: RecordState): Association | undefined {
  return towards.get(state.get(foreignType.property) as string);
}

/** As the plain belongsTo that it is towards this record; undefined when the record is of none of its models. */
export function towardsRecord({ towards }: PolymorphicParent, record: unknown): Association | undefined {
  return [...towards.values()].find(({ target }) => record instanceof target.model);
}

/** What a record refers to. @throws UnknownParentTypeError where no model goes by the name in its row */
export function referredBy(parent: PolymorphicParent, record: object): Association | undefined {
  const state = (record as Stateful)[STATE];
  const association = narrowed(parent, state);
  const isNamed = (state.get(parent.foreignType.property) ?? null) !== null;
  if (isNamed && !association) throw new UnknownParentTypeError(parent.owner.name, parent.property, modelNames(parent));
  return association;
}

export function modelNames({ towards }: PolymorphicParent): string[] {
  return [...towards.values()].map(({ target }) => target.name);
}

/** Every belongsTo of a model, polymorphic ones as what they are for a record now. */
export function parentsFor(schema: ModelSchema, state: RecordState): readonly Association[] {
  const polymorphic = polymorphicParentsOf(schema);
  if (polymorphic.size === 0) return parentsOf(schema);
  return [...parentsOf(schema), ...[...polymorphic.values()].flatMap((parent) => narrowed(parent, state) ?? [])];
}

/** The association on the other side that holds the same key, if it is declared. */
export function inverseOf(association: Association): Association | PolymorphicParent | undefined {
  const { kindOf, owner, target, foreignKey, as } = association;
  if (kindOf === 'belongsTo') return undefined;
  if (as !== undefined) return polymorphicParentsOf(target).get(as);
  return parentsOf(target).find((parent) => parent.foreignKey === foreignKey && parent.target === owner);
}

modelRegistry.addRule((schema, registry) =>
  schema.facts('polymorphic').flatMap((fact): string[] => {
    const { property } = fact;
    const targets = namedTargets(fact);
    if (targets.length === 0) return [`.${property}: lists no model.`];
    const names = targets.map(([name]) => name);
    const isTaken = schema.column(property) !== undefined || schema.virtuals.includes(property);
    if (isTaken) return [`.${property}: is both an association and an attribute.`];
    if (new Set(names).size < names.length)
      return [`.${property}: lists two models by the same name; give names, as in { post: Post }.`];
    const problems = targets.flatMap(([, model]) => {
      if (typeof model !== 'function')
        return [`.${property}: one of its models is not there yet; give them as () => [Model].`];
      const hasTable = registry.factsOf(model).some(({ kind }) => kind === 'table');
      return hasTable ? [] : [`.${property}: ${model.name} has no @Table.`];
    });
    if (problems.length > 0) return problems;
    const held = schema.column(fact.foreignKey)?.type.name;
    return targets.flatMap(([, model]) => {
      const wanted = typeNameOf(
        columnFact(registry, model, (column) => column.isPrimaryKey === true),
        registry,
      );
      const fits = wanted === undefined || wanted === (held === 'varchar' || held === 'citext' ? 'text' : held);
      return fits
        ? []
        : [`.${property}: ${schema.name}.${fact.foreignKey} is ${held}, but ${model.name}'s @Id is ${wanted}.`];
    });
  }),
);
