import type { EventFilter } from '../web/live';
import { Relationship } from '../../models/microblog/relationship';

/** Somebody has posted; told with the author. */
export const POSTS = 'posts';
/** Somebody has begun or ceased to follow somebody. */
export const FOLLOWING = 'following';
/** A conversation has changed, by the key of the post that it began with. */
export const conversationTopic = (rootId: bigint): string => `conversation:${rootId}`;

/**
 * Lets through what others post whom somebody follows. It knows them from the time at which the stream was opened, and
 * hears who comes and goes: no question to the database for each post and reader.
 */
export async function feedFilter(userId: bigint): Promise<EventFilter> {
  const me = String(userId);
  const followed = new Set((await Relationship.where({ followerId: userId }).pluck('followedId')).map(String));
  return ({ topic, data }) => {
    if (topic === FOLLOWING && data.follower === me) {
      if (data.isFollowed === true) followed.add(String(data.followed));
      else followed.delete(String(data.followed));
    }
    return topic === POSTS && data.author !== me && followed.has(String(data.author));
  };
}
