/**
 * `T`, where JSON gives back what it was given: objects, arrays, texts, numbers, booleans and null. What it would
 * lose or change (a bigint, a Date, undefined, a function, a record) is `never`, so that it does not compile.
 */
export type Json<T> = T extends string | number | boolean | null
  ? T
  : T extends bigint | symbol | undefined | Date | ((...args: never[]) => unknown)
    ? never
    : { [K in keyof T]: Json<T[K]> };
