/** Addresses: `/#guild/channel?as=ada`, `/#guild/channel/thread?as=ada` and `/#guild/@robot?as=ada` for direct messages. */

/**
 * @param {string} hash
 * @returns {{guild: ?string, channel: ?string, thread: ?string, as: ?string}} names or ids; null for what is missing
 */
export function parse(hash) {
  const [path, search] = hash.replace(/^#\/?/, "").split("?");
  const [guild, channel, thread] = path.split("/").map(decode);
  return { guild: guild || null, channel: channel || null, thread: thread || null, as: new URLSearchParams(search ?? "").get("as") };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The address of a channel, thread or direct message, keeping the acting person. */
export function href(store, channel, as = store.acting) {
  const parent = channel.parent_id ? store.channels.get(channel.parent_id) : null;
  const direct = channel.type === "direct";
  const guild = direct ? store.guild : store.guilds.get(channel.guild_id);
  const path = direct ? [guild?.name ?? "", `@${channel.application}`] : [guild?.name ?? channel.guild_id, parent ? parent.name : channel.name, parent ? channel.id : null];
  const query = as ? `?as=${encodeURIComponent(as)}` : "";
  return `#${path.filter((p) => p !== null).map(encodeURIComponent).join("/")}${query}`;
}
