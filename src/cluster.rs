//! The Kubernetes API: the client and its errors in words.
