//! What a person points at: the TARGET grammar of Slack and of the terminal, parsed without touching a cluster.
