//! The files of a team's own causes: one cause each, every mistake named with file and line.

use super::error::{Problem, nearest};
use super::tree::{self, Origin, Step, Tree};
use super::{Environment, SettingsError, schema::Schema, walk};
use crate::diagnosis::Catalogue;
use crate::diagnosis::custom::{At, Custom, Definition, Mistake};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The largest file of a cause, in bytes.
const LARGEST_FILE: usize = 64 * 1024;
/// How many causes a team may have.
const MOST: usize = 100;

/// The causes of some files as they were read last: compiled anew only where a file changed.
#[derive(Debug)]
pub struct Compiled {
    texts: BTreeMap<PathBuf, String>,
    outcome: Result<Catalogue, SettingsError>,
}

impl Default for Compiled {
    fn default() -> Self {
        Self { texts: BTreeMap::new(), outcome: Ok(Catalogue::default()) }
    }
}

impl Compiled {
    /// Returns the catalogue with the causes in these files and folders. Relative paths start at the folder of the
    /// settings file.
    ///
    /// # Errors
    /// Everything that is wrong in any of the files.
    pub fn read(
        &mut self,
        paths: &[PathBuf],
        settings: Option<&Path>,
        environment: &Environment,
    ) -> Result<Catalogue, SettingsError> {
        let home = settings.and_then(Path::parent).unwrap_or_else(|| Path::new(""));
        let (mut texts, mut problems) = (BTreeMap::new(), Vec::new());
        for path in paths {
            let path = home.join(path);
            let files = environment.list(&path);
            for file in files.map_or_else(|| vec![path.clone()], of_causes) {
                match environment.read(&file) {
                    Ok(text) => {
                        texts.insert(file, text);
                    }
                    Err(error) => problems.push(Problem::new(
                        file.display().to_string(),
                        "",
                        format!("cannot read this file of `causes`: {error}"),
                    )),
                }
            }
        }
        if !problems.is_empty() {
            return Err(SettingsError { problems });
        }
        if texts != self.texts {
            self.outcome = compile(&texts);
            self.texts = texts;
        }
        self.outcome.clone()
    }
}

/// Returns the catalogue with the causes in these files and folders.
///
/// # Errors
/// As [`Compiled::read`].
pub fn load(paths: &[PathBuf], settings: Option<&Path>, environment: &Environment) -> Result<Catalogue, SettingsError> {
    Compiled::default().read(paths, settings, environment)
}

fn of_causes(files: Vec<PathBuf>) -> Vec<PathBuf> {
    let yaml = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    files.into_iter().filter(yaml).collect()
}

fn compile(texts: &BTreeMap<PathBuf, String>) -> Result<Catalogue, SettingsError> {
    let mut problems = Vec::new();
    let (mut customs, mut trees): (Vec<Custom>, Vec<Tree>) = (Vec::new(), Vec::new());
    if texts.len() > MOST {
        let what = format!("names {} causes; at most {MOST} are allowed", texts.len());
        return Err(SettingsError::one(Problem::new("", "causes", what)));
    }
    for (file, text) in texts {
        match one(&file.display().to_string(), text) {
            Ok((custom, tree)) => {
                customs.push(custom);
                trees.push(tree);
            }
            Err(mut wrong) => problems.append(&mut wrong),
        }
    }
    let ids: Vec<&str> = customs.iter().map(|custom| custom.cause.id).collect();
    for (index, (custom, tree)) in customs.iter().zip(&trees).enumerate() {
        if ids[..index].contains(&custom.cause.id) {
            let what = format!("`{}` is the id of an earlier file too", custom.cause.id);
            problems.push(Problem::new(tree.place_of(&[Step::Key("id")]), "id", what));
        }
        for (entry, explained) in custom.explains.iter().enumerate() {
            let known = Catalogue::default();
            let known: Vec<&str> = known.all().map(|cause| cause.id).chain(ids.iter().copied()).collect();
            if !known.contains(explained) {
                let path = [Step::Key("explains"), Step::Item(entry)];
                let near =
                    nearest(explained, known).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                let what = format!("there is no cause `{explained}`{near}");
                problems.push(Problem::new(tree.place_of(&path), tree::key(&path), what));
            }
        }
    }
    if problems.is_empty() { Ok(Catalogue::with(customs)) } else { Err(SettingsError { problems }) }
}

fn one(file: &str, text: &str) -> Result<(Custom, Tree), Vec<Problem>> {
    if text.len() > LARGEST_FILE {
        return Err(vec![Problem::new(file, "", format!("is larger than {} KiB", LARGEST_FILE / 1024))]);
    }
    let tree = tree::read(file, text).map_err(|problem| vec![problem])?;
    let mut problems = Vec::new();
    walk::check(&tree, &Schema::of::<Definition>(), &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let definition: Definition = serde_path_to_error::deserialize(tree.to_json())
        .map_err(|error| vec![Problem::new(file, error.path().to_string(), error.inner().to_string())])?;
    match Custom::of(&definition) {
        Ok(custom) => Ok((custom, tree)),
        Err(mistakes) => Err(mistakes.into_iter().map(|mistake| problem(&tree, text, mistake)).collect()),
    }
}

fn problem(tree: &Tree, text: &str, mistake: Mistake) -> Problem {
    let path: Vec<Step<'_>> = mistake
        .path
        .iter()
        .map(|at| match at {
            At::Key(key) => Step::Key(key),
            At::Item(index) => Step::Item(*index),
        })
        .collect();
    let place = match tree.origin_of(&path) {
        Origin::Line(line) => {
            let written = usize::try_from(*line).ok().and_then(|line| text.lines().nth(line.saturating_sub(1)));
            // After `when: |` the text begins in the next line. A folded text (`>`) has lost its lines.
            let header = written.unwrap_or_default().trim_end().trim_end_matches(['-', '+']);
            let further = if header.ends_with('|') { mistake.line } else { 0 };
            tree.place(&Origin::Line(line + further))
        }
        origin @ Origin::Variable(_) => tree.place(origin),
    };
    Problem::new(place, tree::key(&path), mistake.what)
}

#[cfg(test)]
mod tests;
