//! Reads messages as `/try/channels/C…/messages` gives them and lets `slackblocks` judge each one the bot posted.
//!
//! Prints a line for each: `ok - …` or `not ok - …: why`. Exits with 1 when one was refused, with 2 when the input
//! could not be read.

use std::io::Read;
use std::process::ExitCode;

use serde_json::{Value, json};
use slackblocks::MessagePayload;

fn main() -> ExitCode {
    let mut input = String::new();
    if let Err(error) = std::io::stdin().read_to_string(&mut input) {
        eprintln!("cannot read the messages: {error}");
        return ExitCode::from(2);
    }
    let answer: Value = match serde_json::from_str(&input) {
        Ok(answer) => answer,
        Err(error) => {
            eprintln!("the messages are no JSON: {error}");
            return ExitCode::from(2);
        }
    };
    let messages = answer.get("messages").unwrap_or(&answer);
    let mut refused = false;
    for message in messages.as_array().into_iter().flatten().filter(|message| message.get("bot_id").is_some()) {
        let ts = message["ts"].as_str().unwrap_or("?");
        match serde_json::from_value::<MessagePayload>(payload(message)) {
            Ok(_) => println!("ok - slackblocks takes message {ts}"),
            Err(error) => {
                refused = true;
                println!("not ok - slackblocks takes message {ts}: {error}");
            }
        }
    }
    if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The message as its author would have to post it.
fn payload(message: &Value) -> Value {
    let mut payload = json!({"channel": "C0PODOCTOR"});
    for field in ["text", "blocks", "attachments", "metadata"] {
        if let Some(value) = message.get(field).filter(|value| !value.is_null() && **value != json!("")) {
            payload[field] = value.clone();
        }
    }
    payload
}
