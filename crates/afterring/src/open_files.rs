//! How many files and connections the process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Takes as many as the system grants to whoever asks, and says how many that is; `None`: no bound.
///
/// A service gets 1,024 unless it asks. A thousand connections of the core network would take them all, and leave none for health checks,
/// the database and SMSCs.
#[must_use]
pub fn raise() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        Err(_) => current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_takes_what_the_system_grants() {
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        let few = maximum.map_or(1_024, |most| most.min(1_024));
        setrlimit(Resource::Nofile, Rlimit { current: Some(few), maximum }).unwrap();
        assert_eq!(raise(), maximum);
        assert_eq!(getrlimit(Resource::Nofile).current, maximum);
    }
}
