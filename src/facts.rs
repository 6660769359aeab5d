//! All that is known of a pod at one moment, as plain data with its place and age.
