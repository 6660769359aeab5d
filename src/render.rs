//! Everything podoctor says, as messages that suit any chat.

pub mod alert;
pub mod answer;
pub mod guidance;
pub mod catalogue;
pub mod markdown;
pub mod message;
pub mod overview;
pub mod phrase;
pub mod plan;
pub mod report;
pub mod terminal;
pub mod trial;
