/**
 * Shapes of the sandbox's JSON API (docs/api.md), as far as the page reads them.
 *
 * @typedef {{id: string, name: string, color: number, mentionable: boolean, position: number, permissions: string[]}} Role
 * @typedef {{id: string, name: string, roles: Role[], channels: string[], people: string[]}} Guild
 * @typedef {{id: string, name: string, display_name: string, avatar_url: string, color: number, guild: string,
 *   guild_id: string, roles: string[], accepts_messages: boolean, nick: ?string, timed_out_until: ?string}} Person
 * @typedef {{id: string, name: string, type: string, topic: ?string, guild: ?string, guild_id: ?string, position: number, slowmode: number, category_id: ?string,
 *   user: ?string, application: ?string, parent_id: ?string, message_id: ?string, archived: boolean, locked: boolean, tags: string[], members: string[], message_count: number,
 *   last_message_id: ?string, user_limit: number, voice: VoiceState[]}} Channel
 * @typedef {{user: string, user_id: string, display_name: string, bot: boolean, channel_id: string, mute: boolean, deaf: boolean,
 *   self_mute: boolean, self_deaf: boolean, suppress: boolean}} VoiceState
 * @typedef {{name: string, description: string, type: number, required?: boolean, autocomplete?: boolean,
 *   choices?: {name: string, value: (string|number)}[], options?: Option[], min_value?: number, max_value?: number,
 *   min_length?: number, max_length?: number, channel_types?: number[]}} Option
 * @typedef {{id: string, name: string, type: number, description: string, options?: Option[], guild_id?: string,
 *   contexts?: ?number[], dm_permission?: boolean,
 *   default_member_permissions?: ?string}} Command
 * @typedef {{id: string, name: string, display_name: string, bot_id: string, connected: boolean, guilds: string[],
 *   commands: Command[], invalid_requests: number, identifies_left: number}} Application
 * @typedef {{id: string, channel_id: string, type: number, author: string, author_id: string, author_name: string,
 *   bot: boolean, color: number, created: string, edited: ?string, content: string, text: string, notified: string[],
 *   attachments: Object[], components: Object[], embeds: Object[], thread: ?Object, ephemeral: boolean,
 *   ephemeral_to: ?string, loading: boolean, flags: number, deleted: boolean, interaction: ?Object, reference: ?Object, guild_id: ?string,
 *   reactions: {emoji: string, emoji_id: ?string, count: number, users: string[]}[],
 *   mentions: {users: Object<string, string>, roles: Object<string, string>, channels: Object<string, string>}}} Message
 * @typedef {{id: string, type: string, user: string, channel_id: string, application: string, command: ?string,
 *   custom_id: ?string, created: string, state: string, reason: ?string, modal: ?Object}} Interaction
 * @typedef {{id: string, kind: string, method: ?string, route: ?string, count: ?number, seconds: ?number, hits: number,
 *   active: boolean}} Fault
 */
export {};
