/** The commands that the acting person can use here, and how a typed line reads. */

const SLASH = 1;
const ON_USER = 2;
const ON_MESSAGE = 3;
const SUBCOMMAND = 1;
const GROUP = 2;
const BOT_DIRECT = 1;
/** The bits of `default_member_permissions` that commands are commonly limited to. */
const BITS = {
  KICK_MEMBERS: 1n << 1n, BAN_MEMBERS: 1n << 2n, ADMINISTRATOR: 1n << 3n, MANAGE_CHANNELS: 1n << 4n, MANAGE_GUILD: 1n << 5n,
  ADD_REACTIONS: 1n << 6n, VIEW_AUDIT_LOG: 1n << 7n, VIEW_CHANNEL: 1n << 10n, SEND_MESSAGES: 1n << 11n,
  MANAGE_MESSAGES: 1n << 13n, EMBED_LINKS: 1n << 14n, ATTACH_FILES: 1n << 15n, READ_MESSAGE_HISTORY: 1n << 16n,
  MENTION_EVERYONE: 1n << 17n, CHANGE_NICKNAME: 1n << 26n, MANAGE_NICKNAMES: 1n << 27n, MANAGE_ROLES: 1n << 28n,
  MANAGE_WEBHOOKS: 1n << 29n, USE_APPLICATION_COMMANDS: 1n << 31n, MANAGE_THREADS: 1n << 34n,
  CREATE_PUBLIC_THREADS: 1n << 35n, SEND_MESSAGES_IN_THREADS: 1n << 38n, MODERATE_MEMBERS: 1n << 40n,
};

/**
 * A command, or a subcommand with the names before it.
 * @typedef {{application: import("../base/types.js").Application, command: import("../base/types.js").Command, path: string,
 *   description: string, options: import("../base/types.js").Option[]}} Entry
 */

/** Slash commands. @param {import("../state/store.js").Store} store @param {?string} channelId @returns {Entry[]} by application, then by name */
export function available(store, channelId) {
  const out = [];
  for (const { application, command } of usable(store, channelId, SLASH)) {
    for (const leaf of leaves(command, command.name)) out.push({ application, command, ...leaf });
  }
  return out.sort((a, b) => a.application.name.localeCompare(b.application.name) || a.path.localeCompare(b.path));
}

/**
 * What the menu of a message offers: commands on the message, and on its author.
 * @returns {{application: import("../base/types.js").Application, command: import("../base/types.js").Command, onAuthor: boolean}[]}
 */
export function contextCommands(store, channelId) {
  const named = (found) => found.sort((a, b) => a.command.name.localeCompare(b.command.name));
  return [
    ...named(usable(store, channelId, ON_MESSAGE)).map((one) => ({ ...one, onAuthor: false })),
    ...named(usable(store, channelId, ON_USER)).map((one) => ({ ...one, onAuthor: true })),
  ];
}

function usable(store, channelId, type) {
  const out = [];
  const channel = store.channels.get(channelId ?? "");
  const direct = channel?.type === "direct" ? channel.application : null;
  for (const application of store.applicationsHere()) {
    if (direct && application.name !== direct) continue;
    for (const command of application.commands) {
      if ((command.type ?? SLASH) !== type) continue;
      if (direct && !inDirectMessages(command)) continue;
      if (command.guild_id && command.guild_id !== store.guildId) continue;
      if (!mayUse(command, store)) continue;
      out.push({ application, command });
    }
  }
  return out;
}

/** Commands of a server are not there; others say in `contexts` where they are. */
function inDirectMessages(command) {
  if (command.guild_id) return false;
  return command.contexts ? command.contexts.includes(BOT_DIRECT) : command.dm_permission !== false;
}

function leaves(node, path) {
  const subs = (node.options ?? []).filter((o) => o.type === SUBCOMMAND || o.type === GROUP);
  if (!subs.length) return [{ path, description: node.description, options: node.options ?? [] }];
  return subs.flatMap((sub) => leaves(sub, `${path} ${sub.name}`));
}

/** Discord hides commands that a member lacks permissions for. The server checks again, with overrides. */
function mayUse(command, store) {
  const asked = command.default_member_permissions;
  if (asked === null || asked === undefined) return true;
  const mine = store.me?.roles ?? [];
  const roles = (store.guild?.roles ?? []).filter((r) => mine.includes(r.name) || r.id === store.guildId);
  const held = roles.flatMap((r) => r.permissions ?? []).reduce((bits, name) => bits | (BITS[name] ?? 0n), 0n);
  if (held & BITS.ADMINISTRATOR) return true;
  const wanted = BigInt(asked);
  return wanted !== 0n && (held & wanted) === wanted;
}

/** Entries that start with, then those that contain, the text after the slash. @param {Entry[]} entries */
export function matching(entries, typed) {
  const query = typed.toLowerCase();
  const begins = entries.filter((e) => e.path.startsWith(query));
  const contains = entries.filter((e) => !e.path.startsWith(query) && e.path.includes(query));
  return [...begins, ...contains];
}

/**
 * Reads `order dish:tea note:two words` as far as it names a command of `entries`.
 * @returns {?{entry: Entry, values: Map<string, string>}} null without a complete command name and a space
 */
export function readLine(entries, line) {
  const fitting = entries.filter((e) => line.startsWith(`${e.path} `)).sort((a, b) => b.path.length - a.path.length);
  if (!fitting.length) return null;
  const entry = fitting[0];
  const values = new Map();
  const rest = line.slice(entry.path.length);
  const names = entry.options.map((o) => o.name.replace(/[^\w-]/g, "\\$&"));
  if (names.length) {
    const parts = rest.split(new RegExp(`(?:^|\\s)(${names.join("|")}):\\s*`));
    for (let i = 1; i < parts.length; i += 2) values.set(parts[i], parts[i + 1].trim());
  }
  return { entry, values };
}
