//! The gateway's parts that the binary puts together.

pub mod admin;
pub mod app;
pub mod cli;
pub mod clock;
pub mod command;
pub mod config;
pub mod database;
pub mod demo;
mod happenings;
mod http_server;
pub mod metrics;
pub mod open_files;
pub mod plan;
pub mod pump;
pub mod running;
pub mod service_manager;
pub mod sip_thread;
pub mod telemetry;
pub mod traces;
