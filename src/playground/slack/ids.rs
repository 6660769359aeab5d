//! The names of everything in the workspace: fixed ids of its people and places, and fresh ones for what is made.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

/// The workspace.
pub const TEAM: &str = "T0TEAM";
/// The workspace that Mallory is from.
pub const OTHER_TEAM: &str = "T0OTHER";
/// The app.
pub const APP: &str = "A0PODOCTOR";
/// The app's user.
pub const BOT_USER: &str = "U0PODOCTOR";
/// The app's bot id, which stands in the messages it posts.
pub const BOT: &str = "B0PODOCTOR";
/// Slackbot, which tells a user that a command failed.
pub const SLACKBOT: &str = "USLACKBOT";
/// The channel everything starts in; the bot is a member.
pub const CHANNEL: &str = "C0PODOCTOR";
/// Team A's channel; the bot is a member.
pub const TEAM_A: &str = "C0TEAMA";
/// A public channel without the bot.
pub const WITHOUT_BOT: &str = "C0RANDOM";
/// A private channel without the bot.
pub const PRIVATE: &str = "C0SECRET";
/// A channel shared with Mallory's workspace; the bot is a member.
pub const SHARED: &str = "C0PARTNERS";
/// An archived channel.
pub const ARCHIVED: &str = "C0ARCHIVED";
/// May act.
pub const ALICE: &str = "U0ALICE";
/// May approve.
pub const BOB: &str = "U0BOB";
/// A guest of one channel.
pub const GUEST: &str = "U0GUEST";
/// Somebody of another workspace, here over Slack Connect.
pub const MALLORY: &str = "U0MALLORY";
/// The user group of those on call: Alice.
pub const ONCALL: &str = "S0ONCALL";

/// Returns microseconds since the epoch.
pub fn now_micros() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
}

/// Returns 32 hexadecimal digits that nobody can guess well enough to matter on this machine.
///
/// `RandomState` is seeded by the operating system; two of them spare a dependency on a random number crate.
pub fn random_hex() -> String {
    let word = || {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u64(now_micros());
        hasher.finish()
    };
    format!("{:016x}{:016x}", word(), word())
}

/// Returns a random UUID in its usual form, as `envelope_id` has it.
pub fn uuid() -> String {
    let hex = random_hex();
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

/// Returns an id with a prefix, such as `Ev0…`, in capitals as Slack writes them.
pub fn fresh(prefix: &str) -> String {
    format!("{prefix}0{}", random_hex()[..12].to_uppercase())
}

/// Writes microseconds since the epoch the way Slack writes a `ts`.
pub fn ts(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}
