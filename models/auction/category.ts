import { Column, Id, Model, Table, Unique } from 'bellwether';
import { IsNotEmpty, MaxLength } from 'class-validator';

@Table('categories')
export class Category extends Model {
  @Id() declare readonly id: bigint;
  @Column() @Unique({ caseInsensitive: true }) @IsNotEmpty() @MaxLength(60) declare readonly name: string;
}
