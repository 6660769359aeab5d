//! One file a thing that happens; each takes what it uses and returns a reply.
