import { AfterCreate, BelongsTo, Check, Column, CreatedAt, Id, Model, Table, Unique, Validates } from 'bellwether';
import { IsNotEmpty, MaxLength } from 'class-validator';
import { Sale } from './sale';
import { User } from './user';

/** What the one side of a sale says of the other, with a rating from 1 to 5; once a sale. */
@Table('comments')
export class Comment extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => Sale) declare readonly sale: BelongsTo<Sale>;
  @Column() declare readonly saleId: bigint;
  @BelongsTo(() => User) declare readonly author: BelongsTo<User>;
  @Column()
  @Unique({ scope: 'saleId', message: 'has commented on this sale already' })
  declare readonly authorId: bigint;
  /** Whom it is about. */
  @BelongsTo(() => User) declare readonly subject: BelongsTo<User>;
  @Column() declare readonly subjectId: bigint;

  @Column()
  @Check<Comment>('rating between 1 and 5', {
    message: 'must be from 1 to 5',
    holds: ({ rating }) => rating >= 1 && rating <= 5,
  })
  declare readonly rating: number;
  @Column() @IsNotEmpty({ message: 'must be given' }) @MaxLength(1000) declare readonly text: string;
  @CreatedAt() declare readonly createdAt: Date;

  @Validates({ on: 'create' })
  async isBetweenTheSides(): Promise<void> {
    const { sellerId, buyerId } = await Sale.find(this.saleId);
    const other = this.authorId === sellerId ? buyerId : this.authorId === buyerId ? sellerId : undefined;
    if (other === undefined) this.errors.add('author', 'has no part in this sale', 'stranger');
    else if (other !== this.subjectId) this.errors.add('subject', 'is not the other side of this sale', 'stranger');
  }

  @AfterCreate()
  async rate(): Promise<void> {
    await User.where({ id: this.subjectId }).increment({ ratingSum: this.rating, ratingCount: 1 });
  }
}
