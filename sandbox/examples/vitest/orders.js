/** A small bot: `/order` asks the kitchen for a dish, a moderator accepts it, `/feedback` opens a form. */

import {
  ActionRowBuilder, ApplicationCommandOptionType, ButtonBuilder, ButtonStyle, Client, Events, GatewayIntentBits, LabelBuilder, MessageFlags, ModalBuilder,
  PermissionFlagsBits, TextInputBuilder, TextInputStyle,
} from "discord.js";

const DISHES = ["soup", "salad", "stew"];
const dish = { type: ApplicationCommandOptionType.String, name: "dish", description: "Which one", required: true, autocomplete: true };
const COMMANDS = [
  { name: "order", description: "Orders a dish", options: [dish] },
  { name: "feedback", description: "Asks how it was" },
];

const accept = (disabled = false) =>
  new ActionRowBuilder().addComponents(
    new ButtonBuilder().setLabel("Accept").setCustomId("accept").setStyle(ButtonStyle.Success).setDisabled(disabled),
  );

const commands = {
  order: (interaction) => interaction.reply({ content: `${interaction.options.getString("dish")}: ordered`, components: [accept()] }),
  feedback: (interaction) => {
    const words = new TextInputBuilder().setCustomId("words").setStyle(TextInputStyle.Short).setMaxLength(100);
    const label = new LabelBuilder().setLabel("How was it?").setTextInputComponent(words);
    return interaction.showModal(new ModalBuilder().setCustomId("feedback").setTitle("Feedback").addLabelComponents(label));
  },
};

async function accepted(interaction) {
  if (!interaction.memberPermissions.has(PermissionFlagsBits.ManageGuild)) {
    await interaction.reply({ content: "Only moderators accept orders.", flags: MessageFlags.Ephemeral });
    return;
  }
  const ordered = interaction.message.content.replace(": ordered", "");
  await interaction.update({ content: `${ordered}: accepted`, components: [accept(true)] });
  const thread = await interaction.message.startThread({ name: `${ordered} is cooking` });
  await thread.send("10 minutes");
}

/** The bot; `rest` points discord.js to another address than Discord's. */
export function createBot({ rest } = {}) {
  const client = new Client({ intents: [GatewayIntentBits.Guilds], rest });
  client.on(Events.InteractionCreate, async (interaction) => {
    if (interaction.isAutocomplete()) {
      const typed = interaction.options.getFocused();
      await interaction.respond(DISHES.filter((one) => one.startsWith(typed)).map((one) => ({ name: one, value: one })));
    } else if (interaction.isChatInputCommand()) {
      await commands[interaction.commandName](interaction);
    } else if (interaction.isButton()) {
      await accepted(interaction);
    } else if (interaction.isModalSubmit()) {
      const words = interaction.fields.getTextInputValue("words");
      await interaction.reply({ content: `Thank you: ${words}`, flags: MessageFlags.Ephemeral });
    }
  });
  return client;
}

/** Log in and register the commands. */
export async function startBot(client, token) {
  const ready = new Promise((resolve) => client.once(Events.ClientReady, resolve));
  await client.login(token);
  await ready;
  await client.application.commands.set(COMMANDS);
}
