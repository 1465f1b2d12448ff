/** A local Discord for tests of bots: `const sandbox = await startSandbox()`. */

export { CallRefused } from "./src/api.js";
export { Person } from "./src/people.js";
export { Sandbox, startSandbox } from "./src/sandbox.js";
export { Outcome, SeenMessage } from "./src/seen.js";
