//! Chat fronts: where requests come from and replies go to.

pub mod front;
pub mod command;
pub mod console;
pub mod slack;
