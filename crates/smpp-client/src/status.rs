//! What each `command_status` means for a submit and for a bind: the one table (SMPP 3.4 §5.1.3, SMPP 5.0 §4.7.6).

use std::collections::BTreeMap;
use std::fmt;

pub(crate) const ROK: u32 = 0x00;
pub(crate) const RINVMSGLEN: u32 = 0x01;
pub(crate) const RINVCMDLEN: u32 = 0x02;
pub(crate) const RINVCMDID: u32 = 0x03;
pub(crate) const RINVBNDSTS: u32 = 0x04;
pub(crate) const RINVSRCADR: u32 = 0x0a;
pub(crate) const RINVREPFLAG: u32 = 0x54;
pub(crate) const RX_T_APPN: u32 = 0x64;
pub(crate) const RX_P_APPN: u32 = 0x65;
pub(crate) const RUNKNOWNERR: u32 = 0xff;

/// What the status of a `submit_sm_resp` (or of the `generic_nack` in its place) says of that submit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StatusClass {
    /// Taken.
    Accepted,
    /// Not taken now: the link slows down, and the alert is sent again in its turn.
    Throttled,
    /// Not taken now, for a reason of this message or of a moment: it is tried again here, the link goes on.
    Later,
    /// Not taken, for a reason of this SMSC: it is tried at another one, and here later where there is none.
    Elsewhere,
    /// Not taken, and never will be: the alert ends with this status as the reason.
    Refused,
    /// Not taken, because the SMSC doesn't hold this session for bound: the link binds anew.
    LinkFault,
}

impl StatusClass {
    /// Every class that a status may be given by settings, with its word there.
    pub const WORDS: [(&'static str, Self); 5] = [
        ("throttled", Self::Throttled),
        ("later", Self::Later),
        ("elsewhere", Self::Elsewhere),
        ("refused", Self::Refused),
        ("link_fault", Self::LinkFault),
    ];
}

use StatusClass::{Accepted, Elsewhere, Later, LinkFault, Refused, Throttled};

/// Every status of the standards: its number, its name, its class.
const TABLE: [(u32, &str, StatusClass); 67] = [
    (0x00, "ESME_ROK", Accepted),
    (0x01, "ESME_RINVMSGLEN", Refused),
    (0x02, "ESME_RINVCMDLEN", Refused),
    (0x03, "ESME_RINVCMDID", Refused),
    (0x04, "ESME_RINVBNDSTS", LinkFault),
    (0x05, "ESME_RALYBND", LinkFault),
    (0x06, "ESME_RINVPRTFLG", Refused),
    (0x07, "ESME_RINVREGDLVFLG", Refused),
    // A system error is often one message's (an unroutable number): it must not stop the others.
    (0x08, "ESME_RSYSERR", Elsewhere),
    (0x0a, "ESME_RINVSRCADR", Refused),
    (0x0b, "ESME_RINVDSTADR", Refused),
    (0x0c, "ESME_RINVMSGID", Refused),
    (0x0d, "ESME_RBINDFAIL", LinkFault),
    (0x0e, "ESME_RINVPASWD", LinkFault),
    (0x0f, "ESME_RINVSYSID", LinkFault),
    (0x11, "ESME_RCANCELFAIL", Refused),
    (0x13, "ESME_RREPLACEFAIL", Refused),
    (0x14, "ESME_RMSGQFUL", Throttled),
    (0x15, "ESME_RINVSERTYP", Refused),
    (0x33, "ESME_RINVNUMDESTS", Refused),
    (0x34, "ESME_RINVDLNAME", Refused),
    (0x40, "ESME_RINVDESTFLAG", Refused),
    (0x42, "ESME_RINVSUBREP", Refused),
    (0x43, "ESME_RINVESMCLASS", Refused),
    (0x44, "ESME_RCNTSUBDL", Refused),
    (0x45, "ESME_RSUBMITFAIL", Elsewhere),
    (0x48, "ESME_RINVSRCTON", Refused),
    (0x49, "ESME_RINVSRCNPI", Refused),
    (0x50, "ESME_RINVDSTTON", Refused),
    (0x51, "ESME_RINVDSTNPI", Refused),
    (0x53, "ESME_RINVSYSTYP", Refused),
    (0x54, "ESME_RINVREPFLAG", Refused),
    (0x55, "ESME_RINVNUMMSGS", Refused),
    (0x58, "ESME_RTHROTTLED", Throttled),
    (0x61, "ESME_RINVSCHED", Refused),
    (0x62, "ESME_RINVEXPIRY", Refused),
    (0x63, "ESME_RINVDFTMSGID", Refused),
    (0x64, "ESME_RX_T_APPN", Later),
    (0x65, "ESME_RX_P_APPN", Refused),
    (0x66, "ESME_RX_R_APPN", Refused),
    (0x67, "ESME_RQUERYFAIL", Refused),
    (0xc0, "ESME_RINVOPTPARSTREAM", Refused),
    (0xc1, "ESME_ROPTPARNOTALLWD", Refused),
    (0xc2, "ESME_RINVPARLEN", Refused),
    (0xc3, "ESME_RMISSINGOPTPARAM", Refused),
    (0xc4, "ESME_RINVOPTPARAMVAL", Refused),
    (0xfe, "ESME_RDELIVERYFAILURE", Refused),
    (0xff, "ESME_RUNKNOWNERR", Elsewhere),
    // From SMPP 5.0.
    (0x100, "ESME_RSERTYPUNAUTH", Refused),
    (0x101, "ESME_RPROHIBITED", Refused),
    (0x102, "ESME_RSERTYPUNAVAIL", Elsewhere),
    (0x103, "ESME_RSERTYPDENIED", Refused),
    (0x104, "ESME_RINVDCS", Refused),
    (0x105, "ESME_RINVSRCADDRSUBUNIT", Refused),
    (0x106, "ESME_RINVDSTADDRSUBUNIT", Refused),
    (0x107, "ESME_RINVBCASTFREQINT", Refused),
    (0x108, "ESME_RINVBCASTALIAS_NAME", Refused),
    (0x109, "ESME_RINVBCASTAREAFMT", Refused),
    (0x10a, "ESME_RINVNUMBCAST_AREAS", Refused),
    (0x10b, "ESME_RINVBCASTCNTTYPE", Refused),
    (0x10c, "ESME_RINVBCASTMSGCLASS", Refused),
    (0x10d, "ESME_RBCASTFAIL", Refused),
    (0x10e, "ESME_RBCASTQUERYFAIL", Refused),
    (0x10f, "ESME_RBCASTCANCELFAIL", Refused),
    (0x110, "ESME_RINVBCAST_REP", Refused),
    (0x111, "ESME_RINVBCASTSRVGRP", Refused),
    (0x112, "ESME_RINVBCASTCHANIND", Refused),
];

/// What an SMSC means by statuses: the table of the standards, and what its own settings say otherwise.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StatusTable {
    own: BTreeMap<u32, StatusClass>,
}

impl StatusTable {
    /// Gives a status another class, such as one of the vendor's own (0x400 and above).
    pub fn set(&mut self, status: u32, class: StatusClass) {
        self.own.insert(status, class);
    }

    /// The class of a status; what nobody documented is refused, so that it can't be sent for ever.
    #[must_use]
    pub fn class(&self, status: u32) -> StatusClass {
        // The usual answer asks no table.
        if status == ROK {
            return Accepted;
        }
        if let Some(class) = self.own.get(&status) {
            return *class;
        }
        TABLE.iter().find(|(known, ..)| *known == status).map_or(Refused, |(_, _, class)| *class)
    }
}

/// A status as people look for it: `0x0000000e (ESME_RINVPASWD)`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Status(pub u32);

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match TABLE.iter().find(|(known, ..)| *known == self.0) {
            Some((status, name, _)) => write!(f, "{status:#010x} ({name})"),
            None => write!(f, "{:#010x} (the SMSC's own)", self.0),
        }
    }
}

/// How soon a refused bind may be tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// As after a lost connection: the SMSC is busy.
    Passing,
    /// It may be that the SMSC has not noticed yet that our last session ended; else somebody has to change something.
    Perhaps,
    /// Somebody has to change something first: asking often does harm.
    Lasting,
}

pub(crate) const fn refusal(status: u32) -> Refusal {
    match status {
        // Already bound; bind failed, which is also said when there are too many sessions.
        0x05 | 0x0d => Refusal::Perhaps,
        // Password, system id, system type, no such command (no transceiver here).
        0x0e | 0x0f | 0x53 | RINVCMDID => Refusal::Lasting,
        _ => Refusal::Passing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_of_the_standards_has_its_class() {
        let table = StatusTable::default();
        for (statuses, expected) in [
            (&[0x00][..], Accepted),
            (&[0x14, 0x58], Throttled),
            (&[0x64], Later),
            (&[0x08, 0x45, 0xff, 0x102], Elsewhere),
            (&[0x04, 0x05, 0x0d, 0x0e, 0x0f], LinkFault),
            (&[0x01, 0x02, 0x03, 0x0a, 0x0b, 0x0c, 0x11, 0x13, 0x15, 0x62, 0x65, 0xc1, 0xfe, 0x103], Refused),
            (&[0x09, 0x400, 0xffff_ffff], Refused),
        ] {
            for &status in statuses {
                assert_eq!(table.class(status), expected, "{status:#x}");
            }
        }
        let mut numbers: Vec<u32> = TABLE.iter().map(|(status, ..)| *status).collect();
        numbers.dedup();
        assert!(numbers.is_sorted() && numbers.len() == TABLE.len());
    }

    #[test]
    fn an_smsc_may_mean_something_else() {
        let mut table = StatusTable::default();
        table.set(0x400, Throttled);
        table.set(0x08, Refused);
        assert_eq!([0x400, 0x08, 0x401].map(|status| table.class(status)), [Throttled, Refused, Refused]);
    }

    #[test]
    fn a_status_says_its_name() {
        assert_eq!(Status(0x0e).to_string(), "0x0000000e (ESME_RINVPASWD)");
        assert_eq!(Status(0x400).to_string(), "0x00000400 (the SMSC's own)");
    }

    #[test]
    fn a_busy_smsc_is_asked_again_sooner_than_one_that_knows_us_not() {
        for (statuses, expected) in [
            (&[0x03, 0x0e, 0x0f, 0x53][..], Refusal::Lasting),
            (&[0x05, 0x0d], Refusal::Perhaps),
            (&[0x08, 0x14, 0x58, 0xff], Refusal::Passing),
        ] {
            assert!(statuses.iter().all(|status| refusal(*status) == expected), "{expected:?}");
        }
    }
}
