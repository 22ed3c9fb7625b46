import { isDeepStrictEqual } from 'node:util';
import type { Stateful } from '../attributes/record-state';
import { STATE } from '../attributes/record-state';
import { equals, or } from '../query/conditions';
import type { Query } from '../query/query';
import { currentSession } from '../transaction/current';
import type { Association } from './association';
import { inverseOf, joiningProperty, joiningValue } from './association';
import { AssociationNotLoadedError, WrongRecordError } from './errors';
import { recordModelOf } from './record-model';

/** Where an association stands. `undefined` never stands for "not loaded", nor an empty list. */
type Slot = { readonly state: 'not loaded' } | { readonly state: 'loaded'; readonly value: unknown };
const NOT_LOADED: Slot = { state: 'not loaded' };

/** Assigns the key of a belongsTo through the record, so that the change is tracked and validated. */
export type AssignKey = (record: object, property: string, value: unknown) => void;

/** One association of one record. */
export abstract class Handle {
  protected readonly owner: object;
  protected readonly association: Association;
  #slot: Slot = NOT_LOADED;

  constructor(owner: object, association: Association) {
    this.owner = owner;
    this.association = association;
  }

  isOf({ property }: Association): boolean {
    return this.association.property === property;
  }

  get isLoaded(): boolean {
    return this.#slot.state === 'loaded';
  }

  get value(): unknown {
    if (this.isLoaded) return this.held;
    throw new AssociationNotLoadedError(this.association.owner.name, this.association.property);
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

  /** Of an association to one; nothing is sent when there is no key to ask with. */
  protected async read(): Promise<unknown> {
    return joiningValue(this.association, this.owner) === null ? null : ((await this.query().first()) ?? null);
  }

  /** The records at the other end, by their primary key. */
  query(): Query<object> {
    const { association } = this;
    const { target } = association;
    const key = joiningValue(association, this.owner);
    // Without a key nothing is referred to; the rows whose own key is null belong to nobody.
    const isReferredTo = key === null ? or([]) : equals(joiningProperty(association), key);
    return recordModelOf(target)
      .query()
      .where(() => isReferredTo)
      .order(target.primaryKey.property as never);
  }

  protected build(values: object): object {
    const { association, owner } = this;
    const key = joiningValue(association, owner);
    const record = recordModelOf(association.target).build({ ...values, [association.foreignKey.property]: key });
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

export class BelongsToHandle extends Handle {
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
    const { owner, property, target, foreignKey } = this.association;
    if (record !== null && !(record instanceof target.model)) {
      throw new WrongRecordError(owner.name, property, target.name);
    }
    const key = record === null ? null : (record as Record<string, unknown>)[target.primaryKey.property];
    BelongsToHandle.assignKey(this.owner, foreignKey.property, key ?? null);
    this.#unsaved = key === undefined || key === null ? record : undefined;
    this.fill(record);
  }
}

export class HasOneHandle extends Handle {
  async create(values: object): Promise<object> {
    const record = this.build(values);
    await this.keep(record);
    this.fill(record);
    return record;
  }
}

export class HasManyHandle extends Handle {
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

const KINDS = { belongsTo: BelongsToHandle, hasOne: HasOneHandle, hasMany: HasManyHandle } as const;
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
export function handleOf(record: object, association: Association): Handle {
  const handles = handlesOf(record);
  let handle = handles.find((each) => each.isOf(association));
  if (!handle) handles.push((handle = new KINDS[association.kindOf](record, association)));
  return handle;
}

/** Forgets everything that was loaded with a record. */
export function forgetLoaded(record: object): void {
  for (const handle of handlesOf(record)) handle.forget();
}
