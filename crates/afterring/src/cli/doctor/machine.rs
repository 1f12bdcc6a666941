//! The machine: open files, the clock, time zones; and the texts.

use std::io;
use std::path::Path;

use ingress::sip::Transport;
use rustix::process::{Resource, getrlimit};

use super::report::{Finding, Report};
use crate::command::OTHER_FILES;
use crate::config::Settings;

/// Where those who keep the clock say that it is kept.
const SYNCHRONIZED: &str = "/run/systemd/timesync/synchronized";

pub(super) fn look(settings: Option<&Settings>, report: &mut Report<'_>) -> io::Result<()> {
    report.tell(open_files(settings))?;
    report.tell(clock_is_kept(Path::new(SYNCHRONIZED)))?;
    let Some(settings) = settings else {
        report.tell(Finding::unchecked("time zones", "", "the settings can't be used"))?;
        return report.tell(Finding::unchecked("texts", "", "the settings can't be used"));
    };
    report.tell(time_zones(settings))?;
    report.tell(texts(settings))
}

fn open_files(settings: Option<&Settings>) -> Finding {
    // The gateway takes all that the system grants.
    let Some(most) = getrlimit(Resource::Nofile).maximum else {
        return Finding::ok("open files", "", "no limit".to_owned());
    };
    let Some(settings) = settings else {
        return Finding::unchecked(
            "open files",
            "",
            format!("{most} are granted; what is needed the settings would say"),
        );
    };
    let has_connections = settings.sip.listen.iter().any(|listen| listen.transport != Transport::Udp);
    let connections = u64::try_from(settings.sip.limits.connections).unwrap_or(u64::MAX);
    let needed = OTHER_FILES.saturating_add(if has_connections { connections } else { 0 });
    let found = format!("{most} are granted, up to {needed} may be needed");
    if most >= needed {
        return Finding::ok("open files", "", found);
    }
    let advice = "Raise the limit: LimitNOFILE= of the service, ulimit -n of the shell; or lower sip.max_connections.";
    Finding::warning("open files", "", found, advice)
}

fn clock_is_kept(synchronized: &Path) -> Finding {
    if synchronized.exists() {
        return Finding::ok("clock", "", "kept by the system's time service".to_owned());
    }
    let why = "nobody says here whether it is kept (no systemd-timesyncd): look at chronyc tracking or ntpq -p; the database's clock is compared below";
    Finding::unchecked("clock", "", why)
}

fn time_zones(settings: &Settings) -> Finding {
    let zone = shown(settings, "text.time_zone");
    match jiff::tz::TimeZone::get(&zone) {
        Ok(_) => Finding::ok("time zones", "", format!("data is there; {zone} is known")),
        Err(error) => {
            Finding::fault("time zones", "", error.to_string(), "Set text.time_zone to a name like Asia/Shanghai.")
        }
    }
}

/// That they can be used was found when the settings were read.
fn texts(settings: &Settings) -> Finding {
    let dir = shown(settings, "text.dir");
    let whence =
        if dir.is_empty() { "the shipped ones".to_owned() } else { format!("those of {dir} over the shipped ones") };
    Finding::ok("texts", "", format!("{whence} can be used"))
}

fn shown(settings: &Settings, path: &str) -> String {
    settings.shown.iter().find(|shown| shown.path == path).map(|shown| shown.value.clone()).unwrap_or_default()
}
