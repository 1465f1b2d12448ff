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

  it("has people among themselves", async () => {
    const [ada, ben, owner] = ["ada", "ben", "owner"].map((name) => sandbox.person(name));
    const said = await ada.write("news", "soup?", { files: { "a.txt": "soup", "b.bin": Uint8Array.of(0, 255) } });
    assert.deepEqual(said.body.attachments.map((one) => [one.filename, one.size]), [["a.txt", 4], ["b.bin", 2]]);
    const answer = await ben.reply(said, "gladly");
    assert.deepEqual([answer.body.reference.message_id, answer.body.notified], [said.id, ["ada"]]);
    assert.deepEqual((await ben.reply(said.id, "or not", { mention: false })).body.notified, []);
    assert.equal((await ben.forward(said, "support")).body.forwarded, "soup?");
    assert.equal((await ada.edit(said, "bread?")).body.content, "bread?");
    const asked = await ada.poll("news", "Dinner?", ["Soup", "Bread"], { multiple: true });
    const voted = await ben.vote(asked, "Soup", 2);
    assert.deepEqual(voted.body.poll.answers.map((one) => one.users), [["ben"], ["ben"]]);
    await owner.delete(answer);
    await assert.rejects(ben.edit(said, "no soup"), /ben did not write this message/);
    const thread = await ada.startThread("news", "about soup", "which one?", { message: said });
    await ben.joinThread(thread);
    await ben.leaveThread("about soup");
    assert.equal((await ben.messages(thread)).at(-1).text, "which one?");
  });

  it("has people who come, go and use context menus", async () => {
    const zoe = sandbox.person("zoe");
    await zoe.join({ displayName: "Zoe", roles: ["helper"] });
    const said = await zoe.write("support", "hello");
    assert.equal(said.body.author_name, "Zoe");
    const [robot, echo] = sandbox.ready.applications;
    const ask = ({ token }, method, path, body) => {
      const headers = { Authorization: `Bot ${token}`, "Content-Type": "application/json" };
      return fetch(`${sandbox.apiBase}${path}`, { method, headers, body: JSON.stringify(body) });
    };
    await sandbox.call("PATCH", "roles/Robot", { permissions: { CREATE_EVENTS: true } });
    const [start, end] = [1, 2].map((hours) => new Date(Date.now() + hours * 3_600_000).toISOString());
    const event = { name: "Soup day", entity_type: 3, privacy_level: 2, entity_metadata: { location: "Kitchen" } };
    const times = { scheduled_start_time: start, scheduled_end_time: end };
    assert.equal((await ask(robot, "POST", `/guilds/${sandbox.ready.guilds[0].id}/scheduled-events`, { ...event, ...times })).status, 200);
    await zoe.joinEvent("Soup day");
    const users = async () => (await sandbox.call("GET", "scheduled-events")).events[0].users;
    assert.deepEqual(await users(), ["zoe"]);
    await zoe.leaveEvent("Soup day");
    assert.deepEqual(await users(), []);
    const commands = [{ type: 2, name: "Wave" }, { type: 3, name: "Keep" }];
    assert.equal((await ask(echo, "PUT", `/applications/${echo.id}/commands`, commands)).status, 200);
    const kim = sandbox.person("kim", { patience: 0 });
    assert.equal((await kim.userCommand("support", "Wave", zoe)).body.target_user, "zoe");
    assert.equal((await kim.messageCommand(said, "Keep")).body.target_message, said.id);
    await zoe.leave();
    await assert.rejects(zoe.write("support", "again"), /There is no person "zoe"/);
  });
});

it("starts with a world of its own, and says why it did not start", async () => {
  const club = await startSandbox({ command, world: { guilds: [{ name: "club" }], applications: [{ name: "dj" }] }, rateLimits: false });
  assert.deepEqual(club.ready.guilds.map((one) => one.name), ["club"]);
  assert.throws(() => club.token("robot"), /no application "robot"/);
  await club.stop();
  await assert.rejects(startSandbox({ command, world: { guild: [] } }), /ended with 2: .*the world has no guild/s);
});
