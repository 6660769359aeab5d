//! Where a command takes a team's own causes from.

use crate::diagnosis::Catalogue;
use crate::settings::{self, Environment};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct CausesArgs {
    /// Files, or folders of files, with causes of your own
    #[arg(long = "causes", value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// A settings file whose `causes` are taken
    #[arg(long, value_name = "FILE", conflicts_with = "paths")]
    config: Option<PathBuf>,
}

impl CausesArgs {
    /// Returns podoctor's own causes with those that were named.
    ///
    /// # Errors
    /// Everything that is wrong in any of the files.
    pub fn catalogue(&self) -> anyhow::Result<Catalogue> {
        let environment = Environment::of_process();
        Ok(match &self.config {
            Some(_) => settings::load(self.config.as_deref(), &environment)?.catalogue,
            None => settings::causes::load(&self.paths, None, &environment)?,
        })
    }
}
