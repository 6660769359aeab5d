//! HTTP routes: health, readiness, metrics, and the Slack endpoints in HTTP mode.
