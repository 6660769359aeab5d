//! From facts to a diagnosis: the causes, their ranking, and how sure we are.
