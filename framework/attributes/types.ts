/** Marks the handle of an association, so that types can tell it from an attribute. Never there at run time. */
export declare const relatedRecord: unique symbol;

/** What every association handle is to the type system: it names the model at its other end. */
export interface AssociationHandle<R extends object = object> {
  readonly [relatedRecord]: R;
}

/** The handle of an association whose key is on this side: its record, or that record's key, stands for it. */
export declare const ownKey: unique symbol;
export interface OwningHandle<R extends object = object> extends AssociationHandle<R> {
  readonly [ownKey]: true;
}

/** What a record has besides its attributes, its associations and its methods. */
export interface RecordMembers {
  readonly isNew: boolean;
  readonly isDestroyed: boolean;
  readonly isChanged: boolean;
  readonly changes: unknown;
  readonly errors: unknown;
}

type Member<T> = Exclude<keyof T, keyof RecordMembers | symbol | number>;

/** Names of the attributes of a model: its properties that are no methods and no associations. */
export type AttributeName<T extends object> = {
  [K in Member<T>]-?: NonNullable<T[K]> extends AssociationHandle
    ? never
    : NonNullable<T[K]> extends (...args: never[]) => unknown
      ? never
      : K;
}[Member<T>];

/** Names of the associations of a model. */
export type AssociationName<T extends object> = {
  [K in Member<T>]-?: NonNullable<T[K]> extends AssociationHandle ? K : never;
}[Member<T>];

/** Names of the associations whose key is a column of this model: its `BelongsTo`s. */
export type OwningName<T extends object> = {
  [K in Member<T>]-?: NonNullable<T[K]> extends OwningHandle ? K : never;
}[Member<T>];

/** The model at the other end of an association. */
export type RelatedOf<H> = NonNullable<H> extends AssociationHandle<infer R> ? R : never;

/** The type of a model's primary key, if it is called `id`. */
export type KeyOf<T extends object> = T extends { readonly id: infer Key } ? Key : string | number | bigint;

/** A key says which record is meant where there is one model only: of a polymorphic association, none does. */
export type SoleKeyOf<R extends object, Each = R> = Each extends object
  ? [R] extends [Each]
    ? KeyOf<Each>
    : never
  : never;

/** Values by attribute name, and records or keys by `BelongsTo`, as `create` and `update` take them. */
export type AttributeValues<T extends object> = {
  -readonly [K in AttributeName<T>]?: T[K];
} & {
  [K in OwningName<T>]?: RelatedOf<T[K]> | SoleKeyOf<RelatedOf<T[K]>> | null;
};
