//! What must outlive a restart: records by kind and id, changed by compare-and-swap only, so that any number of replicas may.

mod embedded;

pub use embedded::Embedded;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The kinds of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Incident,
    Digest,
    Silence,
    /// A proposed remedy, and what became of it.
    Remedy,
    /// Something that was asked, confirmed, refused or done; never changed, never removed.
    Audit,
    /// A question on its way to its answer.
    Question,
    /// An incident that is over, for the history.
    Past,
    /// Something that is told once: a channel that is closed, the report of a day.
    Notice,
}

impl Kind {
    /// Returns the kind's name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Incident => "incident",
            Self::Digest => "digest",
            Self::Silence => "silence",
            Self::Remedy => "remedy",
            Self::Audit => "audit",
            Self::Question => "question",
            Self::Past => "past",
            Self::Notice => "notice",
        }
    }
}

/// The version of a record; it grows with each change. Zero = not there yet.
pub type Version = i64;

/// A record as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<T> {
    pub id: String,
    pub version: Version,
    pub body: T,
}

/// Why something could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else changed the record first, or it is not there.
    #[error("{kind} {id} was changed by somebody else")]
    Conflict { kind: &'static str, id: String },
    /// A record that this version of podoctor cannot read.
    #[error("{kind} {id} cannot be read: {why}")]
    Unreadable { kind: &'static str, id: String, why: String },
    /// The store itself fails.
    #[error("the store fails: {0}")]
    Failed(String),
}

/// A place for records.
pub trait Store: Send + Sync {
    /// Returns all records of a kind, by id, as JSON.
    fn list(&self, kind: Kind) -> impl Future<Output = Result<Vec<Record<String>>, StoreError>> + Send;
    /// Returns one record, as JSON; `None` = it is not there.
    fn get(&self, kind: Kind, id: &str) -> impl Future<Output = Result<Option<Record<String>>, StoreError>> + Send;
    /// Returns the ids of all records of a kind, in order.
    fn ids(&self, kind: Kind) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;
    /// Puts a record where `expected` is its version (zero = it is not there yet); returns the new version.
    fn put(
        &self,
        kind: Kind,
        id: &str,
        body: String,
        expected: Version,
    ) -> impl Future<Output = Result<Version, StoreError>> + Send;
    /// Takes a record out; one that is not there is no error.
    fn remove(&self, kind: Kind, id: &str) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Returns all records of a kind, decoded.
///
/// # Errors
/// Where the store fails; a record that cannot be decoded is left out and logged, so that one bad record stops nothing.
pub async fn all<T: DeserializeOwned>(store: &impl Store, kind: Kind) -> Result<Vec<Record<T>>, StoreError> {
    Ok(store.list(kind).await?.into_iter().filter_map(|record| decoded(kind, record)).collect())
}

/// Returns one record, decoded; `None` = it is not there, or, as in [`all`], cannot be decoded.
///
/// # Errors
/// Where the store fails.
pub async fn get<T: DeserializeOwned>(
    store: &impl Store,
    kind: Kind,
    id: &str,
) -> Result<Option<Record<T>>, StoreError> {
    Ok(store.get(kind, id).await?.and_then(|record| decoded(kind, record)))
}

fn decoded<T: DeserializeOwned>(kind: Kind, record: Record<String>) -> Option<Record<T>> {
    match serde_json::from_str(&record.body) {
        Ok(body) => Some(Record { id: record.id, version: record.version, body }),
        Err(error) => {
            tracing::error!(kind = kind.name(), id = record.id, %error, "a record cannot be read");
            None
        }
    }
}

/// Puts a value as a record.
///
/// # Errors
/// As [`Store::put`].
pub async fn put<T: Serialize>(
    store: &impl Store,
    kind: Kind,
    id: &str,
    value: &T,
    expected: Version,
) -> Result<Version, StoreError> {
    let unreadable = |error: serde_json::Error| StoreError::Unreadable {
        kind: kind.name(),
        id: id.to_owned(),
        why: error.to_string(),
    };
    let body = serde_json::to_string(value).map_err(unreadable)?;
    store.put(kind, id, body, expected).await
}
