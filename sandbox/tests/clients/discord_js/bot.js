// The bot of the matrix in discord.js.
import {
  ActionRowBuilder, ApplicationCommandOptionType as Option, ApplicationCommandType, AttachmentBuilder, ButtonBuilder, ButtonStyle, ChannelSelectMenuBuilder,
  Client, ContainerBuilder, Events, GatewayIntentBits, MessageFlags, ModalBuilder, Partials, PermissionFlagsBits,
  RoleSelectMenuBuilder, SectionBuilder, SeparatorBuilder, StringSelectMenuBuilder, TextDisplayBuilder, TextInputBuilder,
  TextInputStyle, UserSelectMenuBuilder,
} from 'discord.js';
import { words } from './words.js';

const ready = JSON.parse(process.env.SANDBOX);
const intents = Object.values(GatewayIntentBits).filter((one) => typeof one === 'number');
const partials = [Partials.Channel, Partials.GuildMember, Partials.Message, Partials.Reaction];
// [sandbox]
const rest = { api: `${ready.url}/api` };
const client = new Client({ intents, partials, rest });
// [/sandbox]

const DISHES = ['bread', 'salad', 'soup'];
const row = (...components) => new ActionRowBuilder().addComponents(...components);
const button = (label) => new ButtonBuilder().setLabel(label).setCustomId(label.toLowerCase()).setStyle(ButtonStyle.Primary);
const text = (content) => new TextDisplayBuilder().setContent(content);

const slash = (name, options = []) => ({ name, description: name, options });
const option = (type, name, more = {}) => ({ type, name, description: name, required: true, ...more });
const COMMANDS = [
  { name: 'Greet', type: ApplicationCommandType.User },
  { name: 'Quote', type: ApplicationCommandType.Message },
  slash('ping'),
  slash('upload', [option(Option.Attachment, 'file')]),
  slash('echo', [
    option(Option.String, 'text'), option(Option.Integer, 'count'), option(Option.Boolean, 'loud'), option(Option.Number, 'ratio'),
    option(Option.User, 'who'), option(Option.Channel, 'where'), option(Option.Role, 'role'),
  ]),
  slash('settings', [
    { type: Option.Subcommand, name: 'show', description: 'Show them' },
    {
      type: Option.SubcommandGroup, name: 'limit', description: 'A limit',
      options: [{ type: Option.Subcommand, name: 'set', description: 'Set it', options: [option(Option.Integer, 'value')] }],
    },
  ]),
  slash('find', [option(Option.String, 'dish', { autocomplete: true })]),
  slash('member', [option(Option.User, 'who'), option(Option.Role, 'role')]),
  slash('overwrite', [option(Option.Role, 'role')]),
];

const shown = {
  async buttons(interaction) {
    await interaction.reply({ content: 'counter 0', components: [row(button('More'), button('Later'))] });
  },
  async selects(interaction) {
    const dishes = ['soup', 'salad', 'tea'].map((value) => ({ label: value, value }));
    await interaction.reply({
      content: 'choose',
      components: [
        row(new StringSelectMenuBuilder().setCustomId('dish').setMaxValues(2).addOptions(dishes)),
        row(new UserSelectMenuBuilder().setCustomId('who')),
        row(new RoleSelectMenuBuilder().setCustomId('which')),
        row(new ChannelSelectMenuBuilder().setCustomId('where')),
      ],
    });
  },
  async modal(interaction) {
    const why = new TextInputBuilder().setCustomId('why').setLabel('Why').setStyle(TextInputStyle.Paragraph);
    const when = new TextInputBuilder().setCustomId('when').setLabel('When').setStyle(TextInputStyle.Short).setRequired(false);
    await interaction.showModal(new ModalBuilder().setCustomId('reason').setTitle('Reason').addComponents(row(why), row(when)));
  },
  async ephemeral(interaction) {
    await interaction.reply({ content: 'only you', flags: MessageFlags.Ephemeral });
  },
  async deferral(interaction) {
    await interaction.deferReply();
    await interaction.editReply('done');
  },
  async followups(interaction) {
    await interaction.reply('one');
    const two = await interaction.followUp('two');
    await interaction.followUp({ content: 'three', flags: MessageFlags.Ephemeral });
    const four = await interaction.followUp('four');
    await interaction.editReply({ content: 'two, edited', message: two });
    await interaction.deleteReply(four);
  },
  async files(interaction) {
    const file = (name, content, description) => new AttachmentBuilder(Buffer.from(content), { name, description });
    await interaction.reply({ content: 'menu', files: [file('menu.txt', 'soup')] });
    const sent = await interaction.channel.send({ content: 'both', files: [file('a.txt', 'a', 'the first'), file('b.txt', 'b')] });
    await sent.edit({ content: 'kept one', attachments: [sent.attachments.first()] });
  },
  async layout(interaction) {
    const section = new SectionBuilder().addTextDisplayComponents(text('A section')).setButtonAccessory(button('Press'));
    const container = new ContainerBuilder()
      .addTextDisplayComponents(text('A layout')).addSeparatorComponents(new SeparatorBuilder()).addSectionComponents(section);
    await interaction.reply({ components: [container], flags: MessageFlags.IsComponentsV2 });
  },
};
const whats = Object.keys(shown).map((value) => ({ name: value, value }));
COMMANDS.push(slash('show', [option(Option.String, 'what', { choices: whats })]));

const commands = {
  ping: (interaction) => interaction.reply('pong'),
  async echo(interaction) {
    const get = interaction.options;
    const plain = [get.getString('text'), get.getInteger('count'), get.getBoolean('loud'), get.getNumber('ratio')];
    const ids = [get.getUser('who').id, get.getChannel('where').id, get.getRole('role').id];
    await interaction.reply([...plain, ...ids].join(' '));
  },
  async settings(interaction) {
    const group = interaction.options.getSubcommandGroup();
    await interaction.reply(group === 'limit' ? `limit ${interaction.options.getInteger('value')}` : 'settings');
  },
  Greet: (interaction) => interaction.reply(`hello ${interaction.targetUser.username}`),
  Quote: (interaction) => interaction.reply(`quoted: ${interaction.targetMessage.content}`),
  async upload(interaction) {
    const { name, url } = interaction.options.getAttachment('file');
    await interaction.reply(`${name}: ${await (await fetch(url)).text()}`);
  },
  find: (interaction) => interaction.reply(`found ${interaction.options.getString('dish')}`),
  async member(interaction) {
    const role = interaction.options.getRole('role');
    const who = await interaction.guild.members.fetch({ user: interaction.options.getUser('who'), force: true });
    const holds = who.roles.cache.has(role.id);
    await (holds ? who.roles.remove(role) : who.roles.add(role));
    const everyone = await interaction.guild.members.fetch();
    const did = holds ? `took ${role.name} from` : `gave ${role.name} to`;
    await interaction.reply(`${did} ${who.user.username}, one of ${everyone.size}`);
  },
  async overwrite(interaction) {
    const role = interaction.options.getRole('role');
    const channel = await interaction.guild.channels.fetch(interaction.channelId, { force: true });
    const denied = channel.permissionOverwrites.cache.get(role.id)?.deny.has(PermissionFlagsBits.SendMessages);
    await (denied ? channel.permissionOverwrites.delete(role) : channel.permissionOverwrites.create(role, { SendMessages: false }));
    await interaction.reply(denied ? 'cleared' : 'denied');
  },
  show: (interaction) => shown[interaction.options.getString('what')](interaction),
};

let count = 0;
const buttons = {
  more: (interaction) => interaction.update(`counter ${++count}`),
  async later(interaction) {
    await interaction.deferUpdate();
    await interaction.editReply('later');
  },
  press: (interaction) => interaction.update({ components: [text('pressed')], flags: MessageFlags.IsComponentsV2 }),
};

client.on(Events.InteractionCreate, async (interaction) => {
  if (interaction.isAutocomplete()) {
    const fitting = DISHES.filter((one) => one.startsWith(interaction.options.getFocused()));
    await interaction.respond(fitting.map((value) => ({ name: value, value })));
  } else if (interaction.isCommand()) {
    await commands[interaction.commandName](interaction);
  } else if (interaction.isButton()) {
    await buttons[interaction.customId](interaction);
  } else if (interaction.isAnySelectMenu()) {
    await interaction.reply(`${interaction.customId}: ${interaction.values.join(', ')}`);
  } else if (interaction.isModalSubmit()) {
    await interaction.reply(`why: ${interaction.fields.getTextInputValue('why')}`);
  }
});

client.on(Events.MessageCreate, async (message) => {
  if (message.author.bot) return;
  const [word, ...rest] = message.content.split(' ');
  await words[word]?.(message, rest.join(' '));
});

const reacted = (verb) => async (reaction, user) => {
  if (!user.bot) await reaction.message.channel.send(`${user.id} ${verb} ${reaction.emoji.name}`);
};
client.on(Events.MessageReactionAdd, reacted('added'));
client.on(Events.MessageReactionRemove, reacted('removed'));
client.on(Events.GuildMemberUpdate, async (_, member) => {
  const roles = member.roles.cache.map((role) => role.name).filter((name) => name !== '@everyone').sort();
  await member.guild.channels.cache.find((one) => one.name === 'members').send(`${member.user.username}: ${roles.join(', ')}`);
});
const moved = (verb) => async (member) => {
  await member.guild.channels.cache.find((one) => one.name === 'moderation').send(`${member.user.username} ${verb}`);
};
client.on(Events.GuildMemberAdd, moved('joined'));
client.on(Events.GuildMemberRemove, moved('left'));
client.on(Events.VoiceStateUpdate, async (_, { channel, guild, member }) => {
  if (!channel || member.user.bot) return;
  const voice = guild.channels.cache.find((one) => one.name === 'voice');
  await voice.send(`${member.user.username} in ${channel.name}`);
});
client.on(Events.ClientReady, () => client.application.commands.set(COMMANDS));

client.login(ready.applications[0].token);
