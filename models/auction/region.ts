import { Column, Id, Model, Table, Unique } from 'bellwether';
import { IsNotEmpty, MaxLength } from 'class-validator';

/** Where sellers are, and with them what they offer. */
@Table('regions')
export class Region extends Model {
  @Id() declare readonly id: bigint;
  @Column() @Unique({ caseInsensitive: true }) @IsNotEmpty() @MaxLength(60) declare readonly name: string;
}
