//! table
use anyhow::Result;
use clap::Args;
#[derive(Args, Clone, Debug)]
pub(crate) struct Options { #[arg(long, default_value_t=2.0)] pub(crate) seconds: f64 }
pub(crate) fn run(_o: &Options) -> Result<()> { let mut s = crate::process::Sink::start(true,0)?; println!("{:?} {} {} {}", s.seen()?, s.id(), s.smpp, s.http); std::thread::sleep(std::time::Duration::from_secs(3000)); Ok(()) }
