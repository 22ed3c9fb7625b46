import { isDeepStrictEqual } from 'node:util';
import type { Stateful } from '../attributes/record-state';
import { STATE } from '../attributes/record-state';
import type { Query } from '../query/query';
import type { ModelSchema } from '../schema/model-schema';
import { currentSession } from '../transaction/current';
import type { Association } from './association';
import { joiningValue } from './association';
import { AssociationNotLoadedError, WrongRecordError } from './errors';
import type { AnyAssociation } from './any';
import type { PolymorphicParent } from './polymorphic';
import { inverseOf, modelNames, polymorphicParentsOf, referredBy, towardsRecord } from './polymorphic';
import { recordModelOf } from './record-model';
import { targetsOf } from './targets';
import type { ThroughAssociation } from './through';
import { throughTargets } from './through';

/** Where an association stands. `undefined` never stands for "not loaded", nor an empty list. */
type Slot = { readonly state: 'not loaded' } | { readonly state: 'loaded'; readonly value: unknown };
const NOT_LOADED: Slot = { state: 'not loaded' };

/** Assigns the key of a belongsTo through the record, so that the change is tracked and validated. */
export type AssignKey = (record: object, property: string, value: unknown) => void;

/** One association of one record: what was loaded of it. */
export abstract class Handle {
  protected readonly owner: object;
  readonly #declared: { readonly owner: ModelSchema; readonly property: string };
  #slot: Slot = NOT_LOADED;

  constructor(owner: object, declared: { readonly owner: ModelSchema; readonly property: string }) {
    this.owner = owner;
    this.#declared = declared;
  }

  isOf({ property }: AnyAssociation): boolean {
    return this.#declared.property === property;
  }

  get isLoaded(): boolean {
    return this.#slot.state === 'loaded';
  }

  get value(): unknown {
    if (this.isLoaded) return this.held;
    throw new AssociationNotLoadedError(this.#declared.owner.name, this.#declared.property);
  }

  async load(): Promise<unknown> {
    if (!this.isLoaded) this.fill(await this.read());
    return this.held;
  }

  protected get held(): unknown {
    return this.#slot.state === 'loaded' ? this.#slot.value : undefined;
  }

  /** Remembers what was loaded. */
  fill(value: unknown): void {
    this.#slot = { state: 'loaded', value };
  }

  /** Forgets what was loaded, as after a reload of the record. */
  forget(): void {
    this.#slot = NOT_LOADED;
  }

  protected abstract read(): Promise<unknown>;
}

/** One that rests on a key, here or at the other end. */
abstract class KeyHandle extends Handle {
  readonly #association: Association;

  constructor(owner: object, association: Association) {
    super(owner, association);
    this.#association = association;
  }

  protected get association(): Association {
    return this.#association;
  }

  /** Of an association to one; nothing is sent when there is no key to ask with. */
  protected async read(): Promise<unknown> {
    return joiningValue(this.association, this.owner) === null ? null : ((await this.query().first()) ?? null);
  }

  /** The records at the other end, by their primary key. */
  query(): Query<object> {
    const { association } = this;
    const key = joiningValue(association, this.owner);
    // Without a key nothing is referred to; the rows whose own key is null belong to nobody.
    return targetsOf(association, key === null ? [] : [key]).order(association.target.primaryKey.property as never);
  }

  protected build(values: object): object {
    const { association, owner } = this;
    const key = joiningValue(association, owner);
    const { foreignKey, typeKey } = association;
    const type = typeKey ? { [typeKey.column.property]: typeKey.value } : {};
    const record = recordModelOf(association.target).build({ ...values, ...type, [foreignKey.property]: key });
    const inverse = inverseOf(association);
    if (inverse) (handleOf(record, inverse) as BelongsToHandle).set(owner);
    return record;
  }

  /** Saves a record that {@link build} has made. What is remembered of it is forgotten if its row is rolled back. */
  protected async keep(record: object): Promise<void> {
    currentSession().scope?.enrol(this, () => this.forget());
    await recordModelOf(this.association.target).save(record);
  }
}

export class BelongsToHandle extends KeyHandle {
  static assignKey: AssignKey;
  /** The parent that was assigned before it had a key: it stands for the key that it will get. */
  #unsaved: unknown;
  /** The key to which no parent was found. */
  #missing: unknown = null;

  /** What was loaded counts as long as the record still refers to it, also after a rollback has put the key back. */
  override get isLoaded(): boolean {
    if (!super.isLoaded) return false;
    const key = joiningValue(this.association, this.owner);
    if (this.held === null) return isDeepStrictEqual(key, this.#missing);
    if (key === null) return this.held === this.#unsaved;
    const { property } = this.association.target.primaryKey;
    return isDeepStrictEqual(key, (this.held as Stateful)[STATE].get(property));
  }

  override fill(value: unknown): void {
    super.fill(value);
    if (value === null) this.#missing = joiningValue(this.association, this.owner);
  }

  /** @throws WrongRecordError for what is no record of the model at the other end */
  set(record: object | null): void {
    const { target, foreignKey, typeKey } = record === null ? this.association : this.towards(record);
    const key = record === null ? null : (record as Record<string, unknown>)[target.primaryKey.property];
    if (typeKey) BelongsToHandle.assignKey(this.owner, typeKey.column.property, record === null ? null : typeKey.value);
    BelongsToHandle.assignKey(this.owner, foreignKey.property, key ?? null);
    this.#unsaved = key === undefined || key === null ? record : undefined;
    this.fill(record);
  }

  protected towards(record: object): Association {
    const { owner, property, target } = this.association;
    if (!(record instanceof target.model)) throw new WrongRecordError(owner.name, property, target.name);
    return this.association;
  }
}

/** A belongsTo to one of several models: what is said of it goes for the one that the record names now. */
export class PolymorphicHandle extends BelongsToHandle {
  readonly #parent: PolymorphicParent;

  constructor(owner: object, parent: PolymorphicParent) {
    super(owner, anyOf(parent));
    this.#parent = parent;
  }

  protected override get association(): Association {
    return referredBy(this.#parent, this.owner) ?? anyOf(this.#parent);
  }

  override get isLoaded(): boolean {
    return super.isLoaded && (this.held === null || this.held instanceof this.association.target.model);
  }

  protected override towards(record: object): Association {
    const association = towardsRecord(this.#parent, record);
    if (association) return association;
    throw new WrongRecordError(this.#parent.owner.name, this.#parent.property, modelNames(this.#parent).join(' or '));
  }
}

/** Where no model is named there is no key either, and all of them would do. */
function anyOf({ towards }: PolymorphicParent): Association {
  return towards.values().next().value!; // a rule holds that at least one is listed
}

export class HasOneHandle extends KeyHandle {
  async create(values: object): Promise<object> {
    const record = this.build(values);
    await this.keep(record);
    this.fill(record);
    return record;
  }
}

export class HasManyHandle extends KeyHandle {
  protected override async read(): Promise<unknown> {
    const isKnown = joiningValue(this.association, this.owner) !== null;
    return Object.freeze(isKnown ? await this.query() : []);
  }

  get length(): number {
    return (this.value as readonly object[]).length;
  }

  [Symbol.iterator](): Iterator<object> {
    return (this.value as readonly object[])[Symbol.iterator]();
  }

  new(values: object = {}): object {
    return this.build(values);
  }

  async create(values: object): Promise<object> {
    const record = this.build(values);
    await this.keep(record);
    if (this.isLoaded) this.fill(Object.freeze([...(this.value as readonly object[]), record]));
    return record;
  }
}

export class ThroughHandle extends Handle {
  readonly #association: ThroughAssociation;

  constructor(owner: object, association: ThroughAssociation) {
    super(owner, association);
    this.#association = association;
  }

  query(): Query<object> {
    return throughTargets(this.#association, this.owner);
  }

  protected override async read(): Promise<unknown> {
    return Object.freeze(await this.query().order(this.#association.source.target.primaryKey.property as never));
  }

  get length(): number {
    return (this.value as readonly object[]).length;
  }

  [Symbol.iterator](): Iterator<object> {
    return (this.value as readonly object[])[Symbol.iterator]();
  }
}

const KINDS = { belongsTo: BelongsToHandle, hasOne: HasOneHandle, hasMany: HasManyHandle } as const;

function makeHandle(owner: object, association: AnyAssociation): Handle {
  if (association.kindOf === 'through') return new ThroughHandle(owner, association);
  if (association.kindOf === 'polymorphic') return new PolymorphicHandle(owner, association);
  const { kindOf, typeKey } = association;
  if (kindOf !== 'belongsTo' || !typeKey) return new KINDS[kindOf](owner, association);
  return new PolymorphicHandle(owner, polymorphicParentsOf(association.owner).get(association.property)!);
}

let handlesOf: (record: object) => Handle[];

/**
 * What records are: they keep their handles themselves, out of sight. A weak map from records to handles made
 * including 250 records twice as slow, most of it in the garbage collector.
 */
export abstract class AssociationOwner {
  #handles: Handle[] | undefined;

  static {
    handlesOf = (record) => ((record as AssociationOwner).#handles ??= []);
  }
}

/** The handle of a record's association, made when it is first asked for. */
export function handleOf(record: object, association: AnyAssociation): Handle {
  const handles = handlesOf(record);
  let handle = handles.find((each) => each.isOf(association));
  if (!handle) handles.push((handle = makeHandle(record, association)));
  return handle;
}

/** Forgets everything that was loaded with a record. */
export function forgetLoaded(record: object): void {
  for (const handle of handlesOf(record)) handle.forget();
}
