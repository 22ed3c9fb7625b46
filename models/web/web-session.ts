import { Column, Id, Model, Table } from 'bellwether';

/** A visitor's session. Those that have ended stay until their time is up, so that nobody brings them back. */
@Table('web_sessions')
export class WebSession extends Model {
  /** SHA-256 of what the cookie says: who reads this table can be nobody else. */
  @Id('text', { databaseDefault: false }) declare readonly id: string;
  @Column('jsonb') declare data: Readonly<Record<string, unknown>>;
  @Column() declare endsAt: Date;
  @Column({ default: false }) declare isOver: boolean;
}
