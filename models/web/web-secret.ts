import { Column, Id, Model, Table } from 'bellwether';

/** A secret that all processes of an application share. */
@Table('web_secrets')
export class WebSecret extends Model {
  @Id('text', { databaseDefault: false }) declare readonly name: string;
  @Column() declare readonly value: string;
}
