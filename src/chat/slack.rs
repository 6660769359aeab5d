//! Slack as a front: Socket Mode or HTTP in, the Web API out.
