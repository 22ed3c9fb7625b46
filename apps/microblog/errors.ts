import { BellwetherError } from 'bellwether';

/** A user follows itself as long as it is there, so that its own posts are in its feed. */
export class OwnPostsError extends BellwetherError {
  override readonly code = 'E_OWN_POSTS';
  override readonly recovery = 'fix-the-input';

  constructor() {
    super({ what: 'Nobody unfollows themselves; nothing was changed.', remedy: 'Choose another user.' });
  }
}
