import { connect } from 'bellwether';

/** Listens, says so, and has nothing else to do. */
export async function main(url: string): Promise<void> {
  const db = await connect({ url });
  await db.listen('news', () => undefined);
  process.send!('listening');
}
