/** What each event from the sandbox changes on the page. */

import { plainLine } from "./text/inline.js";
import { namesFor } from "./state/names.js";
import { href } from "./state/router.js";
import { setClockOffset } from "./base/time.js";
import { toast } from "./overlays/toasts.js";

const TYPING_MS = 10_000;
const THREAD_STARTER = 21;

/** @param {import("./app.js").App} app @returns {(kind: string, data: any) => void} */
export function handlers(app) {
  const { store, unread, presses } = app;
  const typing = typingIn(app);

  function onMessage({ message }) {
    typing.stop(message.channel_id, message.author_name);
    const seen = app.looksAt(message.channel_id) ? store.acting : null;
    unread.onMessage(message, seen);
    store.putMessage(message);
    if (store.acting && message.notified?.includes(store.acting) && !seen) announce(app, message);
    countInThread(message);
    app.drawAround();
  }

  function countInThread(message) {
    const thread = store.channels.get(message.channel_id);
    if (!thread?.parent_id || message.ephemeral_to || message.type === THREAD_STARTER) return;
    thread.last = message;
    thread.message_count += 1;
    touchParent(thread.id);
  }

  /** The preview under a message shows how many messages its thread has. */
  function touchParent(channelId) {
    const thread = store.channels.get(channelId);
    if (store.channels.get(thread?.parent_id ?? "")?.type === "forum") store.emit("messages", { channelId: thread.parent_id });
    if (thread?.parent_id && thread.message_id) store.emit("messages", { channelId: thread.parent_id, id: thread.message_id });
  }

  function onChannel({ channel }) {
    store.channels.set(channel.id, { ...store.channels.get(channel.id), ...channel });
    touchParent(channel.id);
    for (const view of [app.main, app.side]) view.composer.describe();
    app.drawAround();
  }

  function onChannelGone({ id }) {
    store.channels.delete(id);
    store.histories.delete(id);
    if (id === store.channelId || id === store.threadId) void app.follow();
    else app.drawAround();
  }

  function onPerson({ person }) {
    const same = (p) => p.id === person.id && p.guild_id === person.guild_id;
    const known = store.people.some(same);
    store.people = known ? store.people.map((p) => (same(p) ? person : p)) : [...store.people, person];
    app.drawAround();
  }

  function onRole({ guild_id: guildId, role }) {
    const guild = store.guilds.get(guildId);
    if (guild) guild.roles = [...guild.roles.filter((r) => r.id !== role.id), role];
    app.drawAround();
  }

  function onApplication({ application }) {
    store.applications.set(application.id, application);
    app.drawAround();
  }

  const all = {
    message_create: onMessage,
    message_update: ({ message }) => {
      presses.forgetChoices(message.id);
      store.putMessage(message);
    },
    message_delete: ({ id, channel_id: channelId }) => store.removeMessage(id, channelId),
    interaction_create: ({ interaction }) => presses.onUpdate(interaction),
    interaction_update: ({ interaction }) => presses.onUpdate(interaction),
    channel_create: onChannel,
    channel_update: onChannel,
    thread_create: onChannel,
    thread_update: onChannel,
    channel_delete: onChannelGone,
    thread_delete: onChannelGone,
    people_create: onPerson,
    people_update: onPerson,
    people_delete: ({ id, name, guild_id: guildId }) => {
      store.people = store.people.filter((p) => p.id !== id || p.guild_id !== guildId);
      if (name === store.acting && guildId === store.guildId) void app.follow();
      else app.drawAround();
    },
    role_create: onRole,
    role_update: onRole,
    role_delete: ({ guild_id: guildId, id }) => {
      const guild = store.guilds.get(guildId);
      if (guild) guild.roles = guild.roles.filter((r) => r.id !== id);
      app.drawAround();
    },
    commands_update: onApplication,
    session_update: onApplication,
    typing: ({ channel_id: channelId, user }) => typing.start(channelId, user),
    faults_update: ({ faults }) => app.drawer.faults.show(faults),
    services_update: ({ services }) => {
      store.services = services;
      app.drawer.draw();
    },
    clock_update: ({ clock_offset: offset }) => setClockOffset(offset),
    resync: () => app.reload(),
    reset: () => {
      unread.forget();
      void app.drawer.faults.read().catch(() => {});
      return app.reload();
    },
  };
  return (kind, data) => void all[kind]?.(data);
}

function announce(app, message) {
  const { store } = app;
  const channel = store.channels.get(message.channel_id);
  toast({
    title: `${message.author_name} · ${channel?.type === "direct" ? "direct message" : channel ? store.titleOf(channel) : "#?"}`,
    text: plainLine(message.content || message.text || "", namesFor(store, message), 140),
    author: message.author_name,
    bot: message.bot,
    href: channel ? href(store, channel) : undefined,
    channel: message.channel_id,
  });
}

/** Who is typing where; each for ten seconds, or until their message comes. */
function typingIn(app) {
  const until = new Map();
  const draw = () => {
    for (const view of [app.main, app.side]) {
      view.composer.showTyping([...until.values()].filter((t) => t.channelId === view.channelId).map((t) => t.name));
    }
  };
  const stop = (channelId, name) => {
    const key = `${channelId} ${name}`;
    clearTimeout(until.get(key)?.timer);
    if (until.delete(key)) draw();
  };
  const start = (channelId, user) => {
    const application = [...app.store.applications.values()].find((a) => a.name === user);
    const name = application?.display_name ?? app.store.people.find((p) => p.name === user)?.display_name ?? user;
    const key = `${channelId} ${name}`;
    clearTimeout(until.get(key)?.timer);
    until.set(key, { channelId, name, timer: setTimeout(() => stop(channelId, name), TYPING_MS) });
    draw();
  };
  return { start, stop };
}
