// Slack's Node clients against a running `podoctor try`, whose address is the argument.

import { allPassed, base } from "./lib.mjs";
import { overHttp } from "./bolt.mjs";
import { socketMode } from "./socket_mode.mjs";
import { webApi } from "./web_api.mjs";

if (!base) {
  console.error("usage: node conformance.mjs http://127.0.0.1:PORT");
  process.exit(2);
}
await webApi();
await socketMode();
await overHttp();
process.exit(allPassed() ? 0 : 1);
