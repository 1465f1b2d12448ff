/**
 * The helper with a bot: `node --test`. SANDBOX_COMMAND and BOT_COMMAND are JSON lists: how to run `discord-sandbox`,
 * and the bot of examples/pytest.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";

import { CallRefused, startSandbox } from "../index.js";

const command = JSON.parse(process.env.SANDBOX_COMMAND ?? '["discord-sandbox"]');
const [program, ...words] = JSON.parse(process.env.BOT_COMMAND ?? '["python3", "../examples/pytest/orders.py"]');

describe("a bot that takes orders", () => {
  let sandbox, bot;

  before(async () => {
    sandbox = await startSandbox({ command });
    bot = spawn(program, words, { env: { ...process.env, SANDBOX: JSON.stringify(sandbox.ready) }, stdio: "inherit" });
    for (;;) {
      const { applications } = await sandbox.call("GET", "state");
      if (applications[0].connected && applications[0].commands.length === 2) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });

  after(async () => {
    bot.kill();
    await once(bot, "exit");
    await sandbox.stop();
  });

  it("is accepted by a moderator", async () => {
    const [ada, mia] = [sandbox.person("ada"), sandbox.person("mia")];
    const since = await sandbox.mark();
    const order = await ada.command("general", "order", { dish: "soup" });
    assert.equal(order.text, "soup: ordered");
    assert.deepEqual(order.message.buttons, ["Accept"]);
    assert.equal((await ada.press(order, "Accept")).text, "Only moderators accept orders.");
    const accepted = await mia.press(order, "Accept");
    assert.equal(accepted.text, "soup: accepted");
    assert.equal((await sandbox.waitForMessage("soup is cooking", "10")).text, "10 minutes");
    const [sent] = await sandbox.calls("POST /channels/{}/messages", { since });
    assert.equal(sent.body.content, "10 minutes");
    assert.equal((await sandbox.calls("POST /interactions/{}/{}/callback", { since })).length, 3);
    await sandbox.assertNoErrors();
    await assert.rejects(mia.press(order, "Accept"), (error) => error instanceof CallRefused && error.code === "disabled");
  });

  it("suggests dishes, and asks with a form", async () => {
    const ada = sandbox.person("ada");
    const choices = await ada.autocomplete("general", "order", "dish", "so");
    assert.deepEqual(choices.map((one) => one.name), ["soup"]);
    const form = await ada.command("general", "feedback");
    assert.equal(form.modal.title, "Feedback");
    assert.throws(() => form.message, /ada's "feedback" has no message. It is modal/);
    const thanks = await ada.submit(form, { "How was it?": "warm" });
    assert.deepEqual([thanks.text, thanks.ephemeral], ["Thank you: warm", true]);
    assert.equal((await ada.messages("general")).at(-1).text, "Thank you: warm");
  });

  it("returns to a saved world", async () => {
    const ada = sandbox.person("ada");
    const before = await ada.write("support", "one");
    const saved = await sandbox.save();
    await ada.write("support", "two");
    await sandbox.call("PATCH", "people/ada", { nick: "Ada L." });
    await sandbox.restore(saved);
    assert.deepEqual((await sandbox.messages("support")).map((one) => one.text), ["one"]);
    assert.ok(BigInt((await ada.write("support", "three")).id) > BigInt(before.id));
    for (let tries = 0; !(await sandbox.call("GET", "state")).applications[0].connected; tries++) {
      // discord.py waits five seconds before it identifies again.
      assert.ok(tries < 1200, "the bot did not identify again");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.equal((await ada.command("general", "order", { dish: "soup" })).text, "soup: ordered");
    await assert.rejects(sandbox.restore("never"), /There is no save "never"/);
  });

  it("is told what is wrong", async () => {
    const ada = sandbox.person("ada", { patience: 1 });
    await assert.rejects(ada.write("genral", "hello"), /Did you mean general\?/);
    await assert.rejects(sandbox.waitForMessage("news", "never", { seconds: 0.1 }), /No message with "never" in news within 0.1 s. There is none./);
    const said = await ada.write("general", "hello");
    assert.equal((await ada.react(said, "👀")).body.reactions[0].emoji, "👀");
    assert.deepEqual((await ada.unreact(said, "👀")).body.reactions, []);
    await sandbox.call("POST", "faults", { kind: "503", route: "/users/@me" });
    const answer = await fetch(`${sandbox.apiBase}/users/@me`, { headers: { Authorization: `Bot ${sandbox.token("robot")}` } });
    assert.equal(answer.status, 503);
    await sandbox.assertNoErrors();
    await fetch(`${sandbox.apiBase}/users/@me`);
    await assert.rejects(sandbox.assertNoErrors(), /1 calls were refused:\n {2}401 GET \/users\/@me/);
  });
});

it("starts with a world of its own, and says why it did not start", async () => {
  const club = await startSandbox({ command, world: { guilds: [{ name: "club" }], applications: [{ name: "dj" }] }, rateLimits: false });
  assert.deepEqual(club.ready.guilds.map((one) => one.name), ["club"]);
  assert.throws(() => club.token("robot"), /no application "robot"/);
  await club.stop();
  await assert.rejects(startSandbox({ command, world: { guild: [] } }), /ended with 2: .*the world has no guild/s);
});
