//! Builds the parts from the settings and runs one loop over what comes in.
