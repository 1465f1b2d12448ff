/** How to test a bot with vitest: `npm test` in this folder. `SANDBOX_COMMAND`: a JSON list, how to run `discord-sandbox`. */

import { CallRefused, startSandbox } from "discord-sandbox";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";

import { createBot, startBot } from "./orders.js";

const command = JSON.parse(process.env.SANDBOX_COMMAND ?? '["discord-sandbox"]');
let sandbox, bot, ada, mia, since;

beforeAll(async () => {
  sandbox = await startSandbox({ command });
  [ada, mia] = [sandbox.person("ada"), sandbox.person("mia")];
  bot = createBot({ rest: { api: `${sandbox.url}/api` } });
  await startBot(bot, sandbox.token("robot"));
});

afterAll(async () => {
  await bot?.destroy();
  await sandbox?.stop();
});

beforeEach(async () => {
  since = await sandbox.mark();
});

afterEach(() => sandbox.assertNoErrors({ since }));

test("a moderator accepts an order", async () => {
  const order = await ada.command("general", "order", { dish: "soup" });
  expect(order.text).toBe("soup: ordered");
  const accepted = await mia.press(order, "Accept");
  expect(accepted.text).toBe("soup: accepted");
  expect(accepted.message.buttons).toEqual([]);
  expect((await sandbox.waitForMessage("soup is cooking", "10")).text).toBe("10 minutes");
  const [sent] = await sandbox.calls("POST /channels/{}/messages", { since });
  expect(sent.body.content).toBe("10 minutes");
  await expect(mia.press(order, "Accept")).rejects.toThrow(CallRefused);
});

test("others are told who accepts", async () => {
  const order = await ada.command("general", "order", { dish: "stew" });
  const refused = await ada.press(order, "Accept");
  expect([refused.text, refused.ephemeral]).toEqual(["Only moderators accept orders.", true]);
});

test("dishes are suggested", async () => {
  const choices = await ada.autocomplete("general", "order", "dish", "s");
  expect(choices.map((one) => one.name)).toEqual(["soup", "salad", "stew"]);
});

test("feedback is a form", async () => {
  const form = await ada.command("general", "feedback");
  expect(form.modal.title).toBe("Feedback");
  expect((await ada.submit(form, { "How was it?": "warm" })).text).toBe("Thank you: warm");
});

test("it survives Discord's bad minutes", async () => {
  await sandbox.call("POST", "faults", { kind: "op7" });
  await sandbox.call("POST", "faults", { kind: "429", route: "/interactions/*", retry_after: 0.1 });
  expect((await ada.command("general", "order", { dish: "salad" })).text).toBe("salad: ordered");
});
