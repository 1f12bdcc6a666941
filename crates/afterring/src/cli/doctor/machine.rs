//! The machine: open files, the clock, time zones; and the texts.

use std::io;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ingress::sip::Transport;
use rustix::process::{Resource, getrlimit};

use super::report::{Finding, Report};
use crate::command::OTHER_FILES;
use crate::config::Settings;

/// Says `yes` when the kernel takes its clock for synchronised (`adjtimex(2)`, `STA_UNSYNC`), whoever keeps it: chrony, ntpd or systemd-timesyncd.
const KERNEL_SAYS: [&str; 4] = ["timedatectl", "show", "--property=NTPSynchronized", "--value"];

/// How long it may take: it asks a service that may not be there.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) fn look(settings: Option<&Settings>, report: &mut Report<'_>) -> io::Result<()> {
    report.tell(open_files(settings))?;
    report.tell(clock(&said_by(&KERNEL_SAYS)))?;
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

fn clock(synchronised: &str) -> Finding {
    match synchronised {
        "yes" => Finding::ok("clock", "", "the kernel takes it for synchronised".to_owned()),
        "no" => {
            let advice = "Let chrony, ntpd or systemd-timesyncd keep it (chronyc tracking, ntpq -p): times in lists of calls follow it.";
            Finding::warning("clock", "", "the kernel takes it for unsynchronised".to_owned(), advice)
        }
        _ => {
            let why = "nobody says here whether it is kept (no timedatectl, as in containers): look at the host's; the database's clock is compared below";
            Finding::unchecked("clock", "", why)
        }
    }
}

/// What a command prints, without the end of its line; nothing when it is not there, fails, or takes too long.
fn said_by(command: &[&str]) -> String {
    let Some((program, arguments)) = command.split_first() else { return String::new() };
    // One answer, for which nobody may wait any more.
    let (done, awaited) = mpsc::sync_channel(1);
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    thread::spawn(move || done.send(command.output()));
    let output = awaited.recv_timeout(PATIENCE).ok().and_then(Result::ok).filter(|output| output.status.success());
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::report::Verdict;

    #[test]
    fn the_clock_is_called_kept_only_by_who_says_so() {
        for (said, verdict) in [
            (said_by(&["echo", "yes"]), Verdict::Ok),
            (said_by(&["echo", "no"]), Verdict::Warning),
            (said_by(&["echo"]), Verdict::NotChecked),
            (said_by(&["false"]), Verdict::NotChecked),
            (said_by(&["/no/such/program"]), Verdict::NotChecked),
        ] {
            assert_eq!(clock(&said).verdict, verdict, "{said}");
        }
    }
}
