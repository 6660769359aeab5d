//! `reactions.*`.

use serde_json::json;

use super::args::Args;
use super::chat::visible;
use super::{Reply, Workspace};
use crate::playground::slack::ids;
use crate::playground::slack::people::change_reaction;
use crate::playground::slack::refusal::Refusal;

impl Workspace {
    pub(super) fn reactions_change(&self, args: &Args, add: bool) -> Reply {
        let name = args.need("name", "invalid_name")?;
        let (channel, ts) = (args.text("channel"), args.text("timestamp"));
        let (Some(channel), Some(ts)) = (channel, ts) else { return Err("no_item_specified".into()) };
        let mut state = self.state();
        let channel = visible(&state, &channel)?;
        let entry = state.channels.get(&channel).ok_or("channel_not_found")?;
        if entry.is_archived {
            return Err("is_archived".into());
        }
        if !entry.has_bot() {
            return Err(Refusal::from("not_in_channel"));
        }
        let event = change_reaction(&mut state, &channel, &ts, ids::BOT_USER, &name, add)?;
        drop(state);
        self.emit(event, Some(&channel));
        self.changed(&channel);
        Ok(json!({}))
    }

    pub(super) fn reactions_get(&self, args: &Args) -> Reply {
        let (channel, ts) = (args.text("channel"), args.text("timestamp"));
        let (Some(channel), Some(ts)) = (channel, ts) else { return Err("no_item_specified".into()) };
        let state = self.state();
        let channel = visible(&state, &channel)?;
        let message = state.message(&channel, &ts).filter(|message| message.ephemeral_to.is_none());
        let mut json = state.message_json(message.ok_or("message_not_found")?);
        json["permalink"] = json!(format!("{}/archives/{channel}/p{}", self.base_url(), ts.replace('.', "")));
        Ok(json!({"type": "message", "channel": channel, "message": json}))
    }
}
