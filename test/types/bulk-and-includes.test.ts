import { BelongsTo, Column, HasMany, HasOne, Id, Model, Table, Unique } from 'bellwether';
import type { HasMany as Many, HasOne as One } from 'bellwether';

// The compiler is what is tested here: `npx tsc --noEmit` fails when a line marked as an error compiles.

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const is = <T>(value: T): T => value;

@Table('shelves')
class Shelf extends Model {
  @Id() declare readonly id: bigint;
  @Column() @Unique() declare name: string;
  @HasMany(() => Book) declare books: Many<Book>;
  @HasOne(() => Book) declare best: One<Book>;
}

@Table('books')
class Book extends Model {
  @Id('uuid') declare readonly id: string;
  @Column() declare title: string;
  @BelongsTo(() => Shelf) declare shelf: BelongsTo<Shelf>;
  declare shelfId: bigint;
  @HasMany(() => Page) declare pages: Many<Page>;
}

@Table('pages')
class Page extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare number: number;
  @BelongsTo(() => Book) declare book: BelongsTo<Book>;
}

/** Compiled, never run: each line that must not compile says so. */
export async function bulk(shelf: Shelf): Promise<void> {
  const keys = await Book.insertAll([
    { title: 'a', shelf },
    { title: 'b', shelf: 1n },
  ]);
  void is<Equal<typeof keys, string[]>>(true);
  void keys;
  const count = await Shelf.insertAll([{ name: 'a' }], { onConflict: 'ignore', by: 'name', returning: 'count' });
  void is<Equal<typeof count, number>>(true);
  void count;
  const upserted = await Book.upsertAll([], { by: ['id'], update: ['title', 'shelf'] });
  void is<Equal<typeof upserted, string[]>>(true);
  void upserted;
  const shelves = await Shelf.createAll([{ name: 'a' }]);
  void is<Equal<typeof shelves, Shelf[]>>(true);
  void shelves;

  // @ts-expect-error no attribute
  await Book.insertAll([{ titel: 'a' }]);
  // @ts-expect-error another type
  await Book.insertAll([{ title: 1 }]);
  // @ts-expect-error nothing to tell by
  await Shelf.insertAll([{ name: 'a' }], { onConflict: 'ignore' });
  // @ts-expect-error no such way
  await Shelf.insertAll([{ name: 'a' }], { onConflict: 'update', by: 'name' });
  // @ts-expect-error no attribute
  await Shelf.upsertAll([{ name: 'a' }], { by: 'nmae', update: [] });
  // @ts-expect-error no attribute
  await Shelf.upsertAll([{ name: 'a' }], { by: 'name', update: ['books'] });
  // @ts-expect-error nothing to update
  await Shelf.upsertAll([{ name: 'a' }], { by: 'name' });
  // @ts-expect-error another model's record
  await Book.createAll([{ shelf: new Book() }]);
}

export async function includes(): Promise<void> {
  const [shelf] = await Shelf.include('best', {
    books: (books) => books.where('title', '!=', '').order('title', 'desc').limit(3).include('pages', 'shelf'),
  });
  const [book] = shelf!.books.value;
  is<number>(book!.pages.value[0]!.number);
  is<string>(book!.shelf.value.name);
  for (const each of shelf!.books) is<number>(each.pages.length);
  is<string | undefined>(shelf!.best.value?.title);

  const deep = await Page.include({ book: (all) => all.include({ shelf: (above) => above.include('books') }) }).first();
  is<number>(deep!.book.value.shelf.value.books.length);
  const narrowed = await Shelf.query()
    .include({ best: (all) => all.include('pages') })
    .find(1n);
  is<number | undefined>(narrowed.best.value?.pages.length);

  const [plain] = await Shelf.include({ books: (books) => books.limit(1) });
  is<string>(plain!.books.value[0]!.title);
  // @ts-expect-error its pages were not included
  void plain!.books.value[0]!.pages.value;
  // @ts-expect-error it was not included
  void plain!.best.value;
  // @ts-expect-error no such association
  void Shelf.include({ boks: (books: unknown) => books });
  // @ts-expect-error no association
  void Shelf.include({ name: (all: unknown) => all });
  // @ts-expect-error no attribute of a book
  void Shelf.include({ books: (books) => books.order('number') });
  // @ts-expect-error no association of a book
  void Shelf.include({ books: (books) => books.include('best') });
  // @ts-expect-error no association
  void Shelf.include('name');
}

test('the calls above compile', () => expect([bulk, includes]).toHaveLength(2));
