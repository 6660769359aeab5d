//! How much of an object is here: text that kubectl prints for people shows a part of it.

/// The part of an object that was printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Nothing but events about it.
    Mention,
    /// A row of a table: one word for its state, nothing of its containers, and not since when.
    Row,
    /// What `kubectl describe` prints, cut off before its end: its events are not there, nor what else may have been.
    Fragment,
    /// What `kubectl describe` prints. Of a pod no finalizers, hooks, affinity or security contexts, no messages of what
    /// waits and no times of conditions; of one that has ended not whether it is being deleted.
    Description,
}

impl Part {
    /// Returns what is missing and why, in words.
    pub fn missing(self) -> (&'static str, &'static str) {
        match self {
            Part::Mention => ("the object itself", "the text holds only events about it"),
            Part::Row => (
                "containers, conditions and times of the object",
                "kubectl get prints one line of it; kubectl describe prints more",
            ),
            Part::Fragment => (
                "events, and whatever stands below the last line",
                "the text ends before the events that kubectl describe prints at its end",
            ),
            Part::Description => {
                ("finalizers, hooks, affinity, times of conditions, a log", "kubectl describe does not print them")
            }
        }
    }
}
