/** The first test waits for the sandbox and the bot's login: more than vitest's five seconds on a busy machine. */
export default { test: { testTimeout: 30_000, hookTimeout: 60_000 } };
