/** Names for the ids in a message, from the message itself or the store. */

import { href } from "./router.js";

/**
 * @typedef {{user: (id: string) => {name: string, color: number}, role: (id: string) => {name: string, color: number},
 *   channel: (id: string) => {name: string, href: ?string, thread: boolean}}} Names
 */

/**
 * @param {import("./store.js").Store} store
 * @param {?import("../base/types.js").Message} [message]
 * @returns {Names}
 */
export function namesFor(store, message) {
  const said = message?.mentions ?? { users: {}, roles: {}, channels: {} };
  return {
    user: (id) => ({ name: store.userName(id) ?? said.users?.[id] ?? "unknown-user", color: 0 }),
    role: (id) => {
      const role = store.role(id);
      return { name: role?.name ?? said.roles?.[id] ?? "deleted-role", color: role?.color ?? 0 };
    },
    channel: (id) => {
      const channel = store.channels.get(id);
      const name = channel?.name ?? said.channels?.[id] ?? "unknown";
      return { name, href: channel ? href(store, channel) : null, thread: Boolean(channel?.parent_id) };
    },
  };
}
