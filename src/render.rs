//! Everything podoctor says, as messages that suit any chat.

pub mod message;
