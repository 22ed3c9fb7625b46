import { AfterCreate, BelongsTo, Column, CreatedAt, enqueue, Id, Model, Table, Unique } from 'bellwether';
import { IsNotEmpty, MaxLength } from 'class-validator';
import { deliverMail } from './deliver-mail';
import { User } from './user';

/** A letter of the auction's to a user. Whoever writes one sends it: the job is part of the same transaction. */
@Table('mails')
export class Mail extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => User) declare readonly user: BelongsTo<User>;
  @Column() declare readonly userId: bigint;
  /** What it is written for, such as `sale 17`: nobody is written to twice for one occasion. */
  @Column() @Unique({ scope: 'userId' }) declare readonly occasion: string;
  @Column() @IsNotEmpty() @MaxLength(200) declare readonly subject: string;
  @Column() declare readonly text: string;
  @CreatedAt() declare readonly createdAt: Date;
  /** Null while it waits; without a mail server for good, and it is read on the page alone. */
  @Column('timestamptz', { nullable: true }) declare readonly sentAt: Date | null;

  @AfterCreate()
  async send(): Promise<void> {
    const mailId = String(this.id);
    await enqueue(deliverMail, { mailId }, { key: `mail:${mailId}` });
  }
}
