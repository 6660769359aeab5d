// What all checks share: playing people, waiting, and the lines that are counted.

export const base = process.argv[2] ?? process.env.PODOCTOR_TRY;
export const CHANNEL = "C0PODOCTOR";

let failed = 0;

// Runs one check and prints its line.
export async function check(name, run) {
  try {
    await run();
    console.log(`ok - ${name}`);
  } catch (error) {
    failed += 1;
    const why = String(error?.data ? `${error} ${JSON.stringify(error.data)}` : error?.stack ?? error).split("\n").slice(0, 4).join(" | ");
    console.log(`not ok - ${name}: ${why}`);
  }
}

export const allPassed = () => failed === 0;

export async function play(what, body) {
  const response = await fetch(`${base}/try/${what}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  return response.json();
}

export async function look(what) {
  return (await fetch(`${base}/try/${what}`)).json();
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Waits, never longer than `ms`, until `so` returns something.
export async function until(what, so, ms = 5000) {
  const end = Date.now() + ms;
  for (;;) {
    const found = await so();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not seen within ${ms} ms: ${what}`);
    await pause(25);
  }
}

// Plays until our own socket gets it: with the bot's sockets beside it, Slack gives each payload to any one of them.
export async function untilOurs(what, playOnce, received) {
  for (let attempt = 0; attempt < 60; attempt += 1) {
    await playOnce();
    try {
      return await until(what, received, 250);
    } catch {
      // The bot got that one.
    }
  }
  throw new Error(`our socket never got: ${what}`);
}

export async function refused(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it was not refused");
}

// A logger for clients whose retries would otherwise fill the screen.
const nothing = () => {};
export const quiet = { debug: nothing, info: nothing, warn: nothing, error: nothing, setLevel: nothing, setName: nothing, getLevel: () => "error" };
