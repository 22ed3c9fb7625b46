import { assertIfMatch, Column, etagOf, Id, Model, Table, Version } from 'bellwether';
import type { MergeConflictError } from 'bellwether';

// See models.test.ts: the compiler is what is tested here, and nothing in the functions is run.

const typesOnly = (_cases: () => unknown): void => expect(typeof _cases).toBe('function');

@Table('drafts', { onConflict: 'merge' })
class Draft extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare text: string;
  @Version() declare readonly version: number;
  @Version('bigint') declare readonly big: bigint;
  // @ts-expect-error a version is not assigned, so its property must be readonly
  @Version() declare writable: number;
  // @ts-expect-error a version is a number
  @Version() declare readonly text2: string;
  // @ts-expect-error the column holds bigints
  @Version('bigint') declare readonly small: number;
  // @ts-expect-error no column for versions
  @Version('uuid') declare readonly uuid: string;
  // @ts-expect-error never null
  @Version({ nullable: true }) declare readonly nullable: number;

  async publish(version: number): Promise<void> {
    await this.save({ ifVersion: version });
  }
}
// @ts-expect-error no such mode
@Table('others', { onConflict: 'ignore' })
class Other extends Model {}

declare const draft: Draft;
declare const conflict: MergeConflictError;

test('versions and conflicts', () =>
  typesOnly(() => {
    void draft.update({ text: 'x' }, { ifVersion: 1 });
    void draft.save({ ifVersion: 1n, onConflict: 'retry' });
    void draft.destroy({ ifVersion: draft.version });
    void Draft.where({ version: 1 }).count();
    assertIfMatch(draft, etagOf(draft));
    void draft.save({ ifMatch: undefined as string | undefined }); // a header that may not be there
    for (const { base, mine, theirs } of Object.values(conflict.conflicts)) void [base, mine, theirs];
    // @ts-expect-error readonly
    draft.version = 2;
    // @ts-expect-error a form's text is to be made a number
    void draft.save({ ifVersion: '1' });
    // @ts-expect-error a field that was not sent is not any version
    void draft.save({ ifVersion: undefined });
    // @ts-expect-error no such mode
    void draft.save({ onConflict: 'ignore' });
    // @ts-expect-error a header is one text
    assertIfMatch(draft, 7);
    // @ts-expect-error the tag of a record
    etagOf({});
    void Other;
  }));
