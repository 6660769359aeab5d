//! Everything that is tested from outside, in one binary: a module a topic.

#![expect(clippy::disallowed_methods, reason = "tests read files, and run what they test in real time")]

mod flows;
mod house;
mod plane;
mod plane_works;
