import { Column, Decimal, Id, Model, Table } from 'bellwether';
import { deepFreeze, frozenCopy } from '../../framework/attributes/deep-freeze';
import { hydratorOf, selectedNames } from '../../framework/attributes/hydrator';
import { modelRegistry } from '../../framework/schema/registry';

class Point {
  constructor(
    readonly x: number,
    readonly y: number,
  ) {}
}

describe('a frozen copy', () => {
  test.each([
    ['text', 'x'],
    ['null', null],
    ['list', [1, [2, { a: null }]]],
    ['object', { a: { b: [] }, ['__proto__x']: 1 }],
    ['instance of a class', new Point(1, 2)],
    ['decimals', [new Decimal('1.5')]],
    ['dates', [new Date(0)]],
    ['buffers', [Buffer.from('x')]],
  ])('%s: equals what was given', (_name, value) => {
    expect(frozenCopy(value)).toStrictEqual(value);
    expect(frozenCopy(value)).toEqual(deepFreeze(value));
  });

  test('of an object without a prototype is a usual one', () => {
    expect(frozenCopy(Object.assign(Object.create(null) as object, { a: 1 }))).toStrictEqual({ a: 1 });
  });

  test('a key called __proto__ is only a key', () => {
    const copy = frozenCopy(JSON.parse('{"__proto__": {"admin": true}}')) as { admin?: boolean };
    expect(copy.admin).toBeUndefined();
    expect(JSON.stringify(copy)).toBe('{"__proto__":{"admin":true}}');
  });

  test('is another object all through, and leaves what was given as it was', () => {
    const given = { list: [{ n: 1 }] };
    const copy = frozenCopy(given) as typeof given;
    expect([copy === given, copy.list === given.list, copy.list[0] === given.list[0]]).toEqual([false, false, false]);
    expect([Object.isFrozen(copy.list[0]), Object.isFrozen(given), Object.isFrozen(given.list)]).toEqual([
      true,
      false,
      false,
    ]);
  });
});

test('a hydrator reads the texts of a row in the order of the columns, whatever their properties are called', () => {
  @Table('odd')
  class Odd extends Model {
    @Id() declare readonly id: bigint;
    @Column({ name: 'quoted "name"' }) declare 'a"b': string;
    @Column() declare class: string;
    @Column('jsonb') declare data: { n: number[] };
  }
  const schema = modelRegistry.schemaOf(Odd);
  expect(selectedNames(schema)).toEqual(['id', 'quoted "name"', 'class', 'data', 'xmin', 'ctid']);
  const state = hydratorOf(schema)(['7', 'x', 'y', '{"n":[1]}', '12', '(0,1)']);
  expect({ ...state.stored }).toEqual({ id: 7n, 'a"b': 'x', class: 'y', data: { n: [1] } });
  expect(state.version).toMatchObject({ xmin: '12', ctid: '(0,1)' });
  expect(hydratorOf(schema)(['7', null, null, null, '12', '(0,1)'] as never).stored).toMatchObject({ data: null });
  expect(Object.isFrozen((state.stored.data as { n: number[] }).n)).toBe(true);
  expect(hydratorOf(schema)).toBe(hydratorOf(schema));
});
