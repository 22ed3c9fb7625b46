import { Column, Id, Model, Table } from 'bellwether';

/** How often something was tried in the window of time that ends at `endsAt`. */
@Table('rate_limits')
export class RateLimit extends Model {
  @Id('text', { databaseDefault: false }) declare readonly key: string;
  @Column({ default: 0 }) declare tries: number;
  @Column() declare endsAt: Date;
}
