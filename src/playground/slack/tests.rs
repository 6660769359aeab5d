//! The workspace from outside: every test talks to it over real HTTP and WebSocket on 127.0.0.1.

mod app;
mod faults;
mod http_delivery;
mod played;
mod sockets;
mod web_api;
