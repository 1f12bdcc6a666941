//! On whose library a foreign SMSC runs, what it can do, and how one story is played at each.

use std::env;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::paths;

/// On whose library an SMSC runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Make {
    /// npm's `smpp`.
    Node,
    /// Debian's `libnet-smpp-perl`.
    Perl,
    /// PyPI's `smpp.twisted3`, Jasmin's own server.
    Twisted,
    /// Debian's `osmo-msc`, which stores and forwards to handsets that the test plays.
    Osmo,
}

/// What not every SMSC can be brought to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Skill {
    /// Throttles, refuses and stays silent when told to.
    AnswersAsTold,
    /// Asks us whether we live (`enquire_link`) when told to.
    Enquires,
    /// Ends a session by `unbind` when told to.
    Unbinds,
    /// Tells a transmitter from a receiver.
    Pairs,
    /// Takes messages for any number; else only for those that were given a handset.
    AnyNumber,
    /// Keeps messages for a phone that is off, also while it is down itself.
    StoresAndForwards,
}

impl Make {
    const ALL: [Self; 4] = [Self::Node, Self::Perl, Self::Twisted, Self::Osmo];

    /// For tests that one SMSC is enough for: the one that `AFTERRING_TEST_SMSC` asks for, where it does as it is told with any number; else node's.
    ///
    /// # Errors
    /// When it asks for one that there isn't.
    pub fn chosen() -> Result<Self> {
        let obedient = |make: &Self| make.has(Skill::AnswersAsTold) && make.has(Skill::AnyNumber);
        Ok(asked_for()?.filter(obedient).unwrap_or(Self::Node))
    }

    /// Plays a story at every SMSC that can play it, or only at the one that `AFTERRING_TEST_SMSC` asks for; says where it is left out.
    ///
    /// # Errors
    /// The story's, with the name of the SMSC; or when the variable asks for one that there isn't.
    pub fn each(needs: &[Skill], story: impl Fn(Self) -> Result<()>) -> Result<()> {
        let chosen = asked_for()?;
        for make in Self::ALL.into_iter().filter(|make| chosen.is_none_or(|chosen| chosen == *make)) {
            let lacks: Vec<_> = needs.iter().filter(|skill| !make.has(**skill)).collect();
            if lacks.is_empty() {
                println!("at {make:?}");
                story(make).with_context(|| format!("at {make:?}"))?;
            } else {
                println!("LEFT OUT at {make:?}, which can't be brought to it: {lacks:?}");
            }
        }
        Ok(())
    }

    /// Whether it can do that.
    #[must_use]
    pub const fn has(self, skill: Skill) -> bool {
        match skill {
            Skill::AnswersAsTold | Skill::Enquires | Skill::Unbinds | Skill::Pairs | Skill::AnyNumber => {
                !matches!(self, Self::Osmo)
            }
            Skill::StoresAndForwards => matches!(self, Self::Osmo),
        }
    }

    pub(crate) fn command(self) -> Command {
        let (program, script) = match self {
            Self::Node => ("node".into(), "peers/node-smpp.js"),
            Self::Perl => ("perl".into(), "peers/net-smpp.pl"),
            Self::Twisted => (paths::here("peers/.venv/bin/python3"), "peers/twisted-smpp.py"),
            Self::Osmo => ("python3".into(), "peers/osmo-msc.py"),
        };
        let mut command = Command::new(program);
        command.arg(paths::here(script));
        command
    }
}

/// The only foreign SMSC that stories are played at, where `AFTERRING_TEST_SMSC` asks for one.
pub(crate) fn asked_for() -> Result<Option<Make>> {
    match env::var("AFTERRING_TEST_SMSC").as_deref() {
        Err(_) => Ok(None),
        Ok("node") => Ok(Some(Make::Node)),
        Ok("perl") => Ok(Some(Make::Perl)),
        Ok("twisted") => Ok(Some(Make::Twisted)),
        Ok("osmo") => Ok(Some(Make::Osmo)),
        Ok(other) => bail!("AFTERRING_TEST_SMSC={other}: there are node, perl, twisted and osmo"),
    }
}
