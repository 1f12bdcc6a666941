//! The phones of a story, at whichever SMSC it is played.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::read::Place;
use crate::smsc::Sms;
use crate::{Make, Simulator, Smsc, World};

/// An SMSC and its phones.
#[derive(Debug)]
pub(super) enum Phones {
    /// The simulated one.
    Simulated(Simulator),
    /// A foreign one.
    Foreign(Smsc),
}

impl Phones {
    /// Starts the SMSC of a place.
    ///
    /// # Errors
    /// When it doesn't start.
    pub(super) fn start(place: Place) -> Result<Self> {
        match place {
            Place::Simulator => Simulator::start().map(Self::Simulated),
            Place::Node => Smsc::start(Make::Node).map(Self::Foreign),
            Place::Twisted => Smsc::start(Make::Twisted).map(Self::Foreign),
        }
    }

    /// A gateway's surroundings, connected to it.
    ///
    /// # Errors
    /// As [`World::new`].
    pub(super) fn world(&self) -> Result<World> {
        match self {
            Self::Simulated(simulator) => World::with_simulator(simulator, ""),
            Self::Foreign(smsc) => World::with(smsc),
        }
    }

    /// Switches a phone.
    ///
    /// # Errors
    /// When the SMSC is gone.
    pub(super) fn switch(&mut self, number: &str, on: bool) -> Result<()> {
        match self {
            Self::Simulated(simulator) => simulator.switch(number, on),
            Self::Foreign(smsc) => smsc.switch(number, on),
        }
    }

    /// Lets a person text a number of ours.
    ///
    /// # Errors
    /// When the SMSC is gone.
    pub(super) fn text(&mut self, from: &str, to: &str, text: &str) -> Result<()> {
        match self {
            Self::Simulated(simulator) => simulator.text(from, to, text),
            Self::Foreign(smsc) => smsc.reply(from, to, text),
        }
    }

    /// Whether the gateway has acknowledged every receipt and every reply, which it does when they are on its disk.
    ///
    /// # Errors
    /// When the SMSC is gone.
    pub(super) fn all_acknowledged(&self) -> Result<bool> {
        match self {
            Self::Simulated(simulator) => Ok(simulator.count("unacknowledged")? == 0),
            Self::Foreign(smsc) => {
                let events = smsc.events();
                let owed = |event: &&Value| event["receipt"] == true || !event["command"]["reply"].is_null();
                let settled = |event: &&Value| event["event"] == "acknowledged" && event["status"] == 0;
                Ok(events.iter().filter(settled).count() >= events.iter().filter(owed).count())
            }
        }
    }

    /// Makes the SMSC refuse to change messages, where it doesn't by itself.
    ///
    /// # Errors
    /// When it can't be told.
    pub(super) fn refuse_updates(&self) -> Result<()> {
        match self {
            // ESME_RINVCMDID, as centres answer that don't know the operation.
            Self::Simulated(simulator) => simulator.faults(&json!({ "updates": { "refused": 3 } })),
            Self::Foreign(smsc) if smsc.make() == Make::Twisted => Ok(()),
            Self::Foreign(smsc) => bail!("{:?} changes messages, and can't be told not to", smsc.make()),
        }
    }

    /// What a phone shows, oldest first.
    ///
    /// # Errors
    /// When the SMSC is gone.
    pub(super) fn shown(&self, number: &str) -> Result<Vec<Sms>> {
        match self {
            Self::Simulated(simulator) => simulator.received(number).context("the phones of the simulator"),
            Self::Foreign(smsc) => Ok(smsc.shown().into_iter().filter(|sms| sms.to == number).collect()),
        }
    }

    /// Every number that was ever shown a message.
    ///
    /// # Errors
    /// When the SMSC is gone.
    pub(super) fn numbers(&self) -> Result<Vec<String>> {
        match self {
            Self::Simulated(simulator) => simulator.numbers(),
            Self::Foreign(smsc) => Ok(smsc.shown().into_iter().map(|sms| sms.to).collect()),
        }
    }
}
