//! The settings: one YAML file, the environment over it, every mistake named.
