//! What the settings may read of the process: its variables and files, handed in so that all the rest is pure.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

type ReadFile = dyn Fn(&Path) -> io::Result<String> + Send + Sync;
type ListFolder = dyn Fn(&Path) -> Option<Vec<PathBuf>> + Send + Sync;

/// The variables of the environment that concern podoctor, and a way to read files.
pub struct Environment {
    variables: BTreeMap<String, String>,
    read: Box<ReadFile>,
    list: Box<ListFolder>,
}

impl Environment {
    /// Returns the environment and the files of this process.
    ///
    /// Only variables that begin with `PODOCTOR_` or `SLACK_` are taken. One that is not UTF-8 is taken with its broken
    /// parts replaced, so that it is refused by what it says rather than silently left out.
    #[expect(clippy::disallowed_methods, reason = "the rim: the one place where settings meet the process")]
    pub fn of_process() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
            .filter(|(name, _)| name.starts_with("PODOCTOR_") || name.starts_with("SLACK_"))
            .collect();
        let list = |path: &Path| {
            let mut files: Vec<_> =
                std::fs::read_dir(path).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
            files.sort();
            Some(files)
        };
        Self { variables, read: Box::new(|path| std::fs::read_to_string(path)), list: Box::new(list) }
    }

    /// Returns an environment of these variables, without folders, whose files `read` reads.
    pub fn new(
        variables: BTreeMap<String, String>,
        read: impl Fn(&Path) -> io::Result<String> + Send + Sync + 'static,
    ) -> Self {
        Self { variables, read: Box::new(read), list: Box::new(|_| None) }
    }

    /// Returns an environment of these variables and files, and nothing else.
    pub fn of<const V: usize, const F: usize>(variables: [(&str, &str); V], files: [(&str, &str); F]) -> Self {
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let files: BTreeMap<_, _> = files.into_iter().map(own).collect();
        let in_folder = |folder: &Path, files: &BTreeMap<String, String>| {
            let found: Vec<_> = files.keys().map(PathBuf::from).filter(|file| file.parent() == Some(folder)).collect();
            (!found.is_empty()).then_some(found)
        };
        let there = files.clone();
        let environment = Self::new(variables.into_iter().map(own).collect(), move |path| {
            path.to_str()
                .and_then(|path| files.get(path).cloned())
                .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such file"))
        });
        Self { list: Box::new(move |folder| in_folder(folder, &there)), ..environment }
    }

    /// Returns a variable's value; an empty one counts as not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Returns all variables.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// Returns the text of a file.
    ///
    /// # Errors
    /// What the file system says.
    pub fn read(&self, path: &Path) -> io::Result<String> {
        (self.read)(path)
    }

    /// Returns the files of a folder, in order; `None` where it is none.
    pub fn list(&self, path: &Path) -> Option<Vec<PathBuf>> {
        (self.list)(path)
    }
}
