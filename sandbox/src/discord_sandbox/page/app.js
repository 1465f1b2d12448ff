/** The page: reads the state, listens to events, and shows the channel that the address names. */

import { ApiError, api } from "./state/api.js";
import { ChannelView } from "./frame/channelview.js";
import { $, compareIds } from "./base/dom.js";
import { Drawer } from "./frame/drawer.js";
import { Stream } from "./state/events.js";
import { handlers } from "./handlers.js";
import { Interactions } from "./state/interactions.js";
import { bindKeys } from "./frame/keys.js";
import { openModal } from "./overlays/modal.js";
import { dropToasts } from "./overlays/toasts.js";
import { People } from "./frame/people.js";
import { href, parse } from "./state/router.js";
import { Sidebar } from "./frame/sidebar.js";
import { Store } from "./state/store.js";
import { keepRelativeTimesCurrent } from "./base/time.js";
import { Unread } from "./state/unread.js";

const PERSON = "sandbox.person";
const RETRY_MS = 1500;
/** The newest threads, in which mentions are counted when the page opens. */
const RECOUNTED_THREADS = 20;

export class App {
  constructor() {
    this.store = new Store();
    this.unread = new Unread(this.store);
    this.presses = new Interactions(this.store, (interaction) => openModal(interaction, this.store, this.presses));
    this.sidebar = new Sidebar(this);
    this.people = new People({ store: this.store, unread: this.unread, actAs: (name) => this.actAs(name) });
    this.drawer = new Drawer(this);
    this.main = new ChannelView($("#main-view"), this, "Messages");
    this.side = new ChannelView($("#thread-view"), this, "Messages in thread");
    this.onEvent = handlers(this);
    this.stream = new Stream((kind, data) => this.onEvent(kind, data), (up) => this.onConnection(up));
  }

  async start() {
    addEventListener("hashchange", () => this.follow());
    document.addEventListener("visibilitychange", () => !document.hidden && this.look());
    bindKeys(this);
    keepRelativeTimesCurrent();
    await this.reload();
  }

  /** Reads the whole state and listens from there; retries until the sandbox answers. */
  async reload() {
    for (;;) {
      try {
        const state = await api.state();
        this.store.load(state);
        this.onConnection(true);
        break;
      } catch (error) {
        this.onConnection(false, error instanceof ApiError ? error.sentence : undefined);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
    this.stream.start(this.store.eventId);
    this.main.forget();
    this.side.forget();
    await this.recountMentions();
    await this.follow();
    document.body.dataset.ready = "true";
  }

  /** Counts mentions and direct messages from before the page was opened; failures are ignored. */
  async recountMentions() {
    this.unread.mentions.clear();
    const used = [...this.store.channels.values()].filter((c) => c.last_message_id && !c.archived);
    const threads = used.filter((c) => c.parent_id).sort((a, b) => compareIds(b.last_message_id, a.last_message_id));
    const channels = [...used.filter((c) => !c.parent_id), ...threads.slice(0, RECOUNTED_THREADS)];
    const read = await Promise.all(channels.map((c) => api.messages(c.id, null, null, 50).catch(() => ({ messages: [] }))));
    for (const { messages } of read) this.unread.recount(messages);
  }

  onConnection(up, why) {
    const banner = $("#banner");
    if (up && !this.store.connected) void this.presses.recheck();
    this.store.connected = up;
    banner.hidden = up;
    banner.textContent = up ? "" : `${why ?? "The connection to the sandbox was lost."} Trying again…`;
  }

  /** Goes where the address says, with defaults for what it omits or misnames. */
  async follow() {
    const { store } = this;
    const wanted = parse(location.hash);
    const guild = [...store.guilds.values()].find((g) => g.name === wanted.guild || g.id === wanted.guild) ?? store.guild ?? [...store.guilds.values()][0];
    if (!guild) return;
    store.guildId = guild.id;
    const here = store.channelsHere();
    const person = [wanted.as, store.acting, remembered(), store.peopleHere()[0]?.name].find((name) => name && store.person(name)) ?? null;
    const direct = wanted.channel?.startsWith("@") ? store.directsOf(person).find((c) => `@${c.application}` === wanted.channel) : null;
    const channel = direct ?? here.find((c) => c.name === wanted.channel || c.id === wanted.channel) ?? here[0] ?? null;
    const thread = wanted.thread ? store.channels.get(wanted.thread) ?? store.threadsOf(channel?.id).find((t) => t.name === wanted.thread) : null;
    const switched = person !== store.acting;
    store.acting = person;
    store.channelId = channel?.id ?? null;
    store.threadId = thread && thread.parent_id === store.channelId ? thread.id : null;
    if (switched) this.switchPerson();
    this.canonical();
    await Promise.all([this.main.show(store.channelId), this.side.show(store.threadId)]);
    this.look();
  }

  /** Drops what the former person saw: ephemeral messages are theirs alone. */
  switchPerson() {
    try {
      localStorage.setItem(PERSON, this.store.acting ?? "");
    } catch {
      // Without storage, the next visit starts as the first person.
    }
    this.store.histories.clear();
    this.main.forget();
    this.side.forget();
  }

  canonical() {
    const { store } = this;
    const at = store.channels.get(store.threadId ?? "") ?? store.channel;
    const hash = at ? href(store, at) : "";
    if (hash && hash !== location.hash) history.replaceState(null, "", hash);
    document.body.classList.toggle("with-thread", Boolean(store.threadId));
    document.body.classList.remove("nav-open");
  }

  go(channel) {
    location.hash = href(this.store, channel);
  }

  actAs(name) {
    const at = this.store.channels.get(this.store.threadId ?? "") ?? this.store.channel;
    if (at) location.hash = href(this.store, at, name);
  }

  closeThread() {
    if (this.store.channel) this.go(this.store.channel);
  }

  /** Marks what is on screen as read, and redraws what depends on it. */
  look() {
    const { store, unread } = this;
    if (!document.hidden && store.acting) {
      for (const id of [store.channelId, store.threadId]) {
        if (!id) continue;
        unread.markRead(store.acting, id);
        dropToasts(id);
      }
    }
    this.drawAround();
  }

  drawAround() {
    this.sidebar.draw();
    this.people.draw();
    this.drawer.draw();
    this.main.drawHeader();
    this.side.drawHeader();
    const { store } = this;
    const calls = store.acting && store.guildId ? this.unread.callsOf(store.acting, store.guildId) : 0;
    $("#nav-button").classList.toggle("calls", calls > 0);
    $("#nav-button").setAttribute("aria-label", calls ? `Channels, ${calls} unread` : "Channels");
    document.title = `${calls ? `(${calls}) ` : ""}${store.channel ? store.titleOf(store.channel) : "Sandbox"} · ${store.guild?.name ?? "sandbox"}`;
  }

  /** Whether the acting person sees this channel now. */
  looksAt(channelId) {
    return !document.hidden && (channelId === this.store.channelId || channelId === this.store.threadId);
  }

  async readMessages(channelId, before) {
    const who = this.store.acting;
    const limit = 50;
    try {
      const { messages } = await api.messages(channelId, who, before, limit);
      if (who === this.store.acting) this.store.addHistory(channelId, messages, messages.length < limit);
    } catch (error) {
      this.store.failHistory(channelId, error instanceof ApiError ? error.sentence : String(error));
    }
  }
}

function remembered() {
  try {
    return localStorage.getItem(PERSON);
  } catch {
    return null;
  }
}

await new App().start();
