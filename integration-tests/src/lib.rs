//! What black-box tests are written with: the gateway under test, foreign SMSCs, sipp, Kamailio, a browser, and waiting for a level.
//!
//! Nothing here knows a crate of the product: a test that shares its code shares its mistakes.

pub mod browser;
pub mod clock;
pub mod dice;
pub mod disk;
pub mod gateway;
pub mod histogram;
pub mod http;
pub mod kamailio;
pub mod load;
pub mod make;
pub mod network;
pub mod outage;
pub mod paths;
pub mod ports;
pub mod process;
pub mod simulator;
pub mod sip;
pub mod sipp;
pub mod smsc;
pub mod story;
pub mod tls;
pub mod verdict;
pub mod wait;
pub mod world;

pub use gateway::Gateway;
pub use make::{Make, Skill};
pub use network::Network;
pub use simulator::Simulator;
pub use smsc::Smsc;
pub use world::World;
