//! The tail of a container's log, and what the API said where there is none.

use super::evidence::Evidence;
use super::known::Known;

/// What was read of one container's logs. Only a tail is kept; it never leaves the process but as a quoted line.
#[derive(Debug, Clone, Default)]
pub struct ContainerLog {
    /// The running or last instance's log; `None` = not asked for.
    pub current: Option<String>,
    /// The log of the instance before; `None` = not asked for, or there is none.
    pub previous: Option<String>,
    /// The API's own text where the log call failed.
    pub error: Option<String>,
}

impl ContainerLog {
    /// Returns the log of the run that ended last: `previous` where the container is running again, else `current`.
    pub fn of_last_end(&self, running_again: bool) -> Known<&str> {
        let text =
            if running_again { self.previous.as_deref() } else { self.current.as_deref().or(self.previous.as_deref()) };
        text.map_or(Known::Unreadable, Known::Present)
    }
}

/// A line of a log, with its number from the end of what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLine<'a> {
    pub container: &'a str,
    pub text: &'a str,
    /// 1 = the last line.
    pub from_end: usize,
}

impl LogLine<'_> {
    /// Returns the line as evidence.
    pub fn evidence(&self) -> Evidence {
        Evidence::field(
            format!("log {} (line {} from the end)", self.container, self.from_end),
            self.text.trim_end(),
            None,
        )
    }
}

/// Returns the lines of a log from its end, blank ones left out.
pub fn lines_from_end<'a>(container: &'a str, text: &'a str) -> impl Iterator<Item = LogLine<'a>> {
    text.lines().rev().filter(|line| !line.trim().is_empty()).enumerate().map(move |(i, line)| LogLine {
        container,
        text: line,
        from_end: i + 1,
    })
}
