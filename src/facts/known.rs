//! Present, absent, or unreadable: three things that must never be confused.

/// What is known of a thing that was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known<T> {
    Present(T),
    /// It was looked for and is not there.
    Absent,
    /// It could not be looked at, or nobody looked: nothing may be concluded.
    Unreadable,
}

impl<T> Known<T> {
    /// Returns the value where there is one. `None` says nothing about absence: ask [`is_absent`](Self::is_absent).
    pub fn present(self) -> Option<T> {
        match self {
            Known::Present(value) => Some(value),
            Known::Absent | Known::Unreadable => None,
        }
    }

    /// Returns true where the thing was looked for and is not there.
    pub fn is_absent(&self) -> bool {
        matches!(self, Known::Absent)
    }

    /// Returns true where nothing may be concluded.
    pub fn is_unreadable(&self) -> bool {
        matches!(self, Known::Unreadable)
    }

    /// Maps the value where there is one.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Known<U> {
        match self {
            Known::Present(value) => Known::Present(f(value)),
            Known::Absent => Known::Absent,
            Known::Unreadable => Known::Unreadable,
        }
    }
}
