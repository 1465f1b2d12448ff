// What the bot in discord.js does when a person writes a word.
import { ChannelType, GatewayOpcodes } from 'discord.js';

const connect = (guild, channel) =>
  guild.shard.send({ op: GatewayOpcodes.VoiceStateUpdate, d: { guild_id: guild.id, channel_id: channel, self_mute: false, self_deaf: true } });

export const words = {
  async hello(message) {
    if (!message.inGuild()) return message.channel.send('hello to you alone');
    const reply = await message.reply('hello');
    await reply.edit(`hello again, ${message.author.username}`);
    const known = await message.channel.messages.fetch({ limit: 10, cache: false });
    const passing = await message.channel.send('passing');
    await passing.delete();
    return message.channel.send(`${known.size} messages`);
  },
  say: (message, text) => message.channel.send(text).catch((error) => message.channel.send(`failed with ${error.status}`)),
  async burst(message, number) {
    for (let one = 1; one <= Number(number); one++) await message.channel.send(String(one));
  },
  async thread(message) {
    const talk = await message.startThread({ name: 'talk' });
    await talk.send('first');
    const alone = await message.channel.threads.create({ name: 'alone', type: ChannelType.PublicThread });
    await alone.setName('renamed');
    await alone.setArchived(true);
  },
  async react(message) {
    const kept = await message.react('✅');
    const taken = await message.react('🎉');
    const users = await kept.users.fetch();
    await taken.users.remove();
    await message.channel.send(`reacted: ${users.map((user) => user.id).join(', ')}`);
  },
  async channels(message) {
    const make = (name, more) => message.guild.channels.create({ name, ...more });
    const back = await make('back', { type: ChannelType.GuildCategory });
    const soup = await make('soup', { parent: back, topic: 'Cold' });
    await soup.edit({ name: 'stew', topic: 'Hot' });
    const passing = await make('passing');
    await passing.delete();
    await soup.send('served');
  },
  async forum(message) {
    const questions = await message.guild.channels.create({ name: 'questions', type: ChannelType.GuildForum });
    await questions.threads.create({ name: 'ask', message: { content: 'open' } });
  },
  async roles(message) {
    const { roles } = message.guild;
    const cook = await roles.create({ name: 'cook', colors: { primaryColor: 0x3498db }, mentionable: true });
    await cook.setName('chef');
    const passing = await roles.create({ name: 'passing' });
    await passing.delete();
  },
  async webhook(message) {
    const waiter = await message.channel.createWebhook({ name: 'Waiter' });
    const sent = await waiter.send('at your service');
    await waiter.editMessage(sent, 'at your table');
  },
  async late(message) {
    await message.member.setNickname('Late');
    await message.member.timeout(60_000);
  },
  out: (message) => message.member.kick(),
  async join(message) {
    const parlour = message.guild.channels.cache.find((one) => one.name === 'Parlour');
    connect(message.guild, parlour.id);
    const people = parlour.members.filter((one) => !one.user.bot);
    await message.channel.send(`with ${people.map((one) => one.user.username).join(', ')}`);
  },
  leave: (message) => connect(message.guild, null),
};
