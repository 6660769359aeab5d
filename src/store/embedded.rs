//! The embedded store: one SQLite file, write-ahead logged.
//!
//! Each change is one short transaction; it is in the file before `put` returns, so a kill at any moment loses nothing that
//! was said to be kept.

use super::{Kind, Record, Store, StoreError, Version};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a change waits for another process that is writing.
const BUSY: Duration = Duration::from_secs(5);
/// The layout of the file. Each entry takes a file of the version before it to its own; never change one that was released.
const MIGRATIONS: &[&str] = &["CREATE TABLE records (
        kind TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (kind, id)
    ) WITHOUT ROWID"];

/// A store in one file, or in memory.
#[derive(Clone)]
pub struct Embedded(Arc<Mutex<Connection>>);

impl Embedded {
    /// Opens the file, or makes it. A change waits for the disk: not even a power cut loses one.
    ///
    /// # Errors
    /// Where it cannot be opened, is no store of ours, or is one of a later version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::at(path, "FULL")
    }

    /// Opens the file, or makes it, for what must be kept within milliseconds and matters for minutes only: a change does not
    /// wait for the disk, and so outlives the process but not a power cut.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_quick(path: &Path) -> Result<Self, StoreError> {
        Self::at(path, "NORMAL")
    }

    fn at(path: &Path, synchronous: &str) -> Result<Self, StoreError> {
        let named = |error: rusqlite::Error| StoreError::Failed(format!("{}: {error}", path.display()));
        // A question may hold the address that answers it, which is a secret: nobody else reads the file, nor the log beside
        // it, which gets the same rights. One that cannot be made, SQLite refuses with a reason.
        let _ = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
        Self::with(Connection::open(path).map_err(named)?, synchronous).map_err(|error| match error {
            StoreError::Failed(why) => StoreError::Failed(format!("{}: {why}", path.display())),
            other => other,
        })
    }

    /// Returns a store that is gone with the process.
    ///
    /// # Errors
    /// Where SQLite fails.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::with(Connection::open_in_memory().map_err(failed)?, "OFF")
    }

    fn with(connection: Connection, synchronous: &str) -> Result<Self, StoreError> {
        connection.busy_timeout(BUSY).map_err(failed)?;
        // In memory there is no log; then this says so, and that is well.
        let _: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(failed)?;
        connection.pragma_update(None, "synchronous", synchronous).map_err(failed)?;
        // In KiB; the whole store is seldom larger.
        connection.pragma_update(None, "cache_size", -256).map_err(failed)?;
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
        let done = usize::try_from(version).unwrap_or(usize::MAX);
        let Some(missing) = MIGRATIONS.get(done..) else {
            return Err(StoreError::Failed(format!(
                "made by a later version of podoctor (layout {version}, this one knows {})",
                MIGRATIONS.len()
            )));
        };
        for (number, migration) in missing.iter().enumerate() {
            let step = format!("BEGIN; {migration}; PRAGMA user_version = {}; COMMIT;", done + number + 1);
            connection.execute_batch(&step).map_err(failed)?;
        }
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    /// Runs one short piece of work on the file, off the threads that wait for the network.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let connection = self.0.clone();
        let work = move || work(&connection.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::task::spawn_blocking(work).await.map_err(|error| StoreError::Failed(error.to_string()))?
    }
}

/// Reads a row of id, version and body.
fn record(row: &Row<'_>) -> rusqlite::Result<Record<String>> {
    Ok(Record { id: row.get(0)?, version: row.get(1)?, body: row.get(2)? })
}

impl Store for Embedded {
    async fn list(&self, kind: Kind) -> Result<Vec<Record<String>>, StoreError> {
        self.run(move |connection| {
            let mut statement = connection
                .prepare_cached("SELECT id, version, body FROM records WHERE kind = ? ORDER BY id")
                .map_err(failed)?;
            let rows = statement.query_map([kind.name()], record).map_err(failed)?;
            rows.collect::<Result<_, _>>().map_err(failed)
        })
        .await
    }

    async fn get(&self, kind: Kind, id: &str) -> Result<Option<Record<String>>, StoreError> {
        let id = id.to_owned();
        self.run(move |connection| {
            let mut statement = connection
                .prepare_cached("SELECT id, version, body FROM records WHERE kind = ? AND id = ?")
                .map_err(failed)?;
            statement.query_row(params![kind.name(), id], record).optional().map_err(failed)
        })
        .await
    }

    async fn ids(&self, kind: Kind) -> Result<Vec<String>, StoreError> {
        self.run(move |connection| {
            let mut statement =
                connection.prepare_cached("SELECT id FROM records WHERE kind = ? ORDER BY id").map_err(failed)?;
            let rows = statement.query_map([kind.name()], |row| row.get(0)).map_err(failed)?;
            rows.collect::<Result<_, _>>().map_err(failed)
        })
        .await
    }

    async fn put(&self, kind: Kind, id: &str, body: String, expected: Version) -> Result<Version, StoreError> {
        let id = id.to_owned();
        self.run(move |connection| {
            let next = expected + 1;
            let changed = if expected == 0 {
                connection.execute(
                    "INSERT INTO records (kind, id, version, body) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    params![kind.name(), id, next, body],
                )
            } else {
                connection.execute(
                    "UPDATE records SET version = ?, body = ? WHERE kind = ? AND id = ? AND version = ?",
                    params![next, body, kind.name(), id, expected],
                )
            };
            match changed.map_err(failed)? {
                0 => Err(StoreError::Conflict { kind: kind.name(), id }),
                _ => Ok(next),
            }
        })
        .await
    }

    async fn remove(&self, kind: Kind, id: &str) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.run(move |connection| {
            connection
                .execute("DELETE FROM records WHERE kind = ? AND id = ?", params![kind.name(), id])
                .map_err(failed)?;
            Ok(())
        })
        .await
    }
}

#[expect(clippy::needless_pass_by_value, reason = "handed to map_err")]
fn failed(error: rusqlite::Error) -> StoreError {
    StoreError::Failed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[tokio::test]
    async fn of_two_changes_from_the_same_version_one_wins() {
        let store = Embedded::in_memory().expect("a store");
        let first = store.put(Kind::Incident, "a", "1".into(), 0).await.expect("new");
        assert!(matches!(store.put(Kind::Incident, "a", "x".into(), 0).await, Err(StoreError::Conflict { .. })));
        let second = store.put(Kind::Incident, "a", "2".into(), first).await.expect("changed");
        assert!(matches!(store.put(Kind::Incident, "a", "3".into(), first).await, Err(StoreError::Conflict { .. })));
        let kept = store.list(Kind::Incident).await.expect("read");
        assert_eq!(kept, [Record { id: "a".into(), version: second, body: "2".into() }]);
        assert_eq!(store.get(Kind::Incident, "a").await.expect("read"), kept.first().cloned());
        assert_eq!(store.get(Kind::Silence, "a").await.expect("read"), None, "of another kind");
        assert_eq!(store.ids(Kind::Incident).await.expect("read"), ["a"]);
        assert_eq!(store.list(Kind::Silence).await.expect("read"), []);
        store.remove(Kind::Incident, "a").await.expect("removed");
        store.remove(Kind::Incident, "a").await.expect("not there, and no error");
        assert_eq!(store.list(Kind::Incident).await.expect("read"), []);
    }

    #[tokio::test]
    async fn what_was_kept_is_there_after_a_restart_and_a_later_layout_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("podoctor.db");
        let store = Embedded::open(&path).expect("opened");
        store.put(Kind::Silence, "s", "{}".into(), 0).await.expect("kept");
        for file in ["podoctor.db", "podoctor.db-wal"] {
            let rights = std::fs::metadata(folder.path().join(file)).expect("it is there").permissions().mode();
            assert_eq!(rights & 0o077, 0, "{file} is nobody else's: {rights:o}");
        }
        drop(store);
        let store = Embedded::open(&path).expect("opened again");
        assert_eq!(store.list(Kind::Silence).await.expect("read").len(), 1);
        store.0.lock().expect("free").pragma_update(None, "user_version", 99).expect("set");
        drop(store);
        let refused = Embedded::open(&path).err().expect("refused").to_string();
        assert!(refused.contains("later version"), "{refused}");
    }
}
