//! What each `command_status` means for a submit and for a bind: the one table (SMPP 3.4 §5.1.3).

pub(crate) const ROK: u32 = 0x00;
pub(crate) const RINVMSGLEN: u32 = 0x01;
pub(crate) const RINVCMDID: u32 = 0x03;
const RINVBNDSTS: u32 = 0x04;
const RALYBND: u32 = 0x05;
const RSYSERR: u32 = 0x08;
pub(crate) const RINVSRCADR: u32 = 0x0a;
const RBINDFAIL: u32 = 0x0d;
const RINVPASWD: u32 = 0x0e;
const RINVSYSID: u32 = 0x0f;
const RMSGQFUL: u32 = 0x14;
const RINVSYSTYP: u32 = 0x53;
const RTHROTTLED: u32 = 0x58;
pub(crate) const RX_T_APPN: u32 = 0x64;
pub(crate) const RX_P_APPN: u32 = 0x65;
pub(crate) const RUNKNOWNERR: u32 = 0xff;

/// What the status of a `submit_sm_resp` (or of the `generic_nack` in its place) says of that submit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    /// Taken.
    Accepted,
    /// Not taken now: the link is asked to slow down.
    Throttled,
    /// Not taken now, for a reason of this message or of a moment: the link goes on.
    Later,
    /// Not taken, and never will be.
    Refused,
    /// Not taken, because the SMSC doesn't hold this session for bound.
    LinkFault,
}

/// The class of a status; what nobody documented is refused, so that it can't be sent for ever.
pub(crate) const fn class(status: u32) -> Class {
    match status {
        ROK => Class::Accepted,
        RTHROTTLED | RMSGQFUL => Class::Throttled,
        // A system error is often one message's (an unroutable number): it must not stop the others.
        RSYSERR | RX_T_APPN => Class::Later,
        RINVBNDSTS | RALYBND | RBINDFAIL | RINVPASWD | RINVSYSID => Class::LinkFault,
        _ => Class::Refused,
    }
}

/// Whether a refused bind will be refused again until somebody changes something: then asking often does harm.
pub(crate) const fn refuses_bind_for_long(status: u32) -> bool {
    matches!(status, RBINDFAIL | RINVPASWD | RINVSYSID | RALYBND | RINVSYSTYP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_of_the_standard_has_its_class() {
        for (statuses, expected) in [
            (&[0x00][..], Class::Accepted),
            (&[0x14, 0x58], Class::Throttled),
            (&[0x08, 0x64], Class::Later),
            (&[0x04, 0x05, 0x0d, 0x0e, 0x0f], Class::LinkFault),
            (
                &[
                    0x01,
                    0x02,
                    0x03,
                    0x06,
                    0x07,
                    0x0a,
                    0x0b,
                    0x0c,
                    0x11,
                    0x13,
                    0x15,
                    0x33,
                    0x34,
                    0x40,
                    0x42,
                    0x43,
                    0x44,
                    0x45,
                    0x48,
                    0x49,
                    0x50,
                    0x51,
                    0x53,
                    0x54,
                    0x55,
                    0x61,
                    0x62,
                    0x63,
                    0x65,
                    0x66,
                    0x67,
                    0xc0,
                    0xc1,
                    0xc2,
                    0xc3,
                    0xc4,
                    0xfe,
                    0xff,
                    0x400,
                    0xffff_ffff,
                ],
                Class::Refused,
            ),
        ] {
            for &status in statuses {
                assert_eq!(class(status), expected, "{status:#x}");
            }
        }
    }

    #[test]
    fn a_busy_smsc_is_asked_again_sooner_than_one_that_knows_us_not() {
        assert!([0x05, 0x0d, 0x0e, 0x0f, 0x53].into_iter().all(refuses_bind_for_long));
        assert!(![0x08, 0x14, 0x58, 0xff].into_iter().any(refuses_bind_for_long));
    }
}
