//! What to do about each way in which an SMSC can fail a test.

use std::io::ErrorKind;

use smpp_client::{StatusClass, TlsFault, Why};

/// Why a link is not bound.
pub(in crate::cli) const fn not_bound(why: Why) -> &'static str {
    match why {
        Why::ConnectFailed(ErrorKind::ConnectionRefused) => {
            "Nothing listens there: look at host and port (SMPP's own is 2775), and ask whether the SMSC is up and lets this machine's address in."
        }
        Why::ConnectFailed(_) | Why::ConnectTimeout => {
            "There is no way to that host: look at its name or address, at routes and firewalls, and ask which addresses the SMSC lets in."
        }
        Why::Settings(_) => "Change the URL in smsc.urls.",
        Why::BindRefused { status } => bind_refused(status),
        Why::BindTimeout => {
            "It took the connection and says nothing: it may expect TLS (smpps://), another address than yours, or something else than SMPP listens there."
        }
        Why::PeerClosed | Why::Broken(_) => {
            "It closed the connection instead of answering: it may expect TLS (smpps://), another address than yours, or it has as many sessions of this \
             account as it allows (does the gateway run?)."
        }
        Why::Framing { .. } => {
            "What listens there doesn't speak SMPP, or speaks TLS: look at the port, or use smpps://."
        }
        Why::PeerUnbound | Why::NoEnquireAnswer | Why::NotBound { .. } => {
            "It ended the session by itself: ask its operator why, and whether the account may have another session."
        }
        Why::NoSubmitAnswer => NO_ANSWER,
        Why::Tls(fault) => no_tls(fault),
        Why::Unlistenable(_) => {
            "Is the address of outbind= one of this machine, and its port free? A running gateway listens there already: stop it for the test."
        }
        Why::Drained | Why::Ordered(_) => "It was stopped here.",
    }
}

const fn no_tls(fault: TlsFault) -> &'static str {
    match fault {
        TlsFault::Files => {
            "Look at the files of tls_ca=, tls_cert= and tls_key=: the key must be that of the certificate."
        }
        TlsFault::Untrusted => {
            "Ask its operator for the certificate of who vouches for it, or for its own, and name the file in tls_ca=."
        }
        TlsFault::WrongName => "Use the name that its certificate has as the host, or name it in tls_name=.",
        TlsFault::Expired => "Its operator has to renew the certificate; and is the clock of this machine right?",
        TlsFault::Refused => "Ask its operator which certificate it wants of you: tls_cert= and tls_key=.",
        TlsFault::NotSpoken => "Look at the port: TLS mostly has one of its own. Where the SMSC has none, use smpp://.",
    }
}

/// By `command_status` of the answer to a bind (SMPP 3.4 §5.1.3).
const fn bind_refused(status: u32) -> &'static str {
    match status {
        0x0e => {
            "Its password for this system_id is another one: look at it in smsc.urls (at most 8 characters; special ones percent-encoded)."
        }
        0x0f => "It doesn't know this system_id: look at it in smsc.urls, and ask whether the account is active.",
        0x05 => {
            "It holds this account for bound already: does the gateway run? Stop it, or ask the SMSC's operator to allow one bind more."
        }
        0x0d => {
            "Mostly that many sessions of this account are not allowed (does the gateway run? Stop it, or ask for one bind more); else the password, the \
             address or the kind of bind isn't: ask its operator."
        }
        0x03 | 0x04 => "It doesn't take this kind of bind: try bind=pair, or version=3.3 with it.",
        0x53 => "It wants another system_type: ask its operator which, and set system_type=.",
        0x58 | 0x14 | 0x08 => "It is busy or out of order: try again later, and ask its operator if it stays so.",
        _ => "Ask its operator what it means by this status.",
    }
}

/// By `command_status` of the answer to a submit, and by what the gateway takes it for.
pub(super) const fn not_accepted(status: u32, class: StatusClass) -> &'static str {
    match (status, class) {
        (0x0a | 0x48 | 0x49, _) => {
            "It doesn't take this originator: look at service.code and service.originator_*, and ask how it is to be marked (source_ton_npi=)."
        }
        (0x0b | 0x50 | 0x51, _) => {
            "It doesn't take the number as it is written: ask whether it wants national numbers (dest_ton_npi=2/1)."
        }
        (0x15, _) => "It wants another service_type: ask its operator which, and set service_type=.",
        (0x06, _) => "It doesn't take this priority: set priority_flag=0.",
        (0x07, _) => "It doesn't take this registered_delivery: ask which it takes, and set registered_delivery=.",
        (0x62, _) => "It doesn't take the validity as it is written: try validity=absolute or validity=omitted.",
        (0xc0..=0xc4, _) => "It doesn't take these optional parameters: try version=3.3 with bind=pair, or long=udh.",
        (0x104, _) => "It doesn't take this coding: look at charset= and packed=.",
        (_, StatusClass::Throttled) => {
            "It asks to slow down: the gateway would wait and send again. Set rate= to what the SMSC allows."
        }
        (_, StatusClass::Later) => "The gateway would try again here later.",
        (_, StatusClass::Elsewhere) => {
            "The gateway would try another SMSC, or this one later; if it stays so, ask its operator what it means."
        }
        (_, StatusClass::LinkFault) => {
            "It doesn't hold this session for bound to send: ask its operator which binds the account may have."
        }
        (_, StatusClass::Refused | StatusClass::Accepted) => {
            "The gateway would give the message up. Ask the SMSC's operator what it means; status= in smsc.urls sets what it is taken for."
        }
    }
}

/// The SMSC was to connect by itself.
pub(super) const NO_OUTBIND: &str = "Ask its operator which address and port it connects to for an outbind, and whether it does so now; else leave outbind= out, and we connect.";

/// No `submit_sm_resp`.
pub(super) const NO_ANSWER: &str = "Whether it was taken isn't known. If the SMSC is only slow, raise timeout=; else ask its operator what became of it.";

/// The session ended before the submit was answered, or sent.
pub(super) const LOST: &str = "The session ended meanwhile: see above, and ask the SMSC's operator why.";

/// Nothing came.
pub(super) const NO_RECEIPT: &str = "The phone may be off or out of reach: the SMSC goes on trying, and --timeout says how long to wait. Or the SMSC sends no receipts to this account, or sends \
     them to another session of it: a running gateway would have got it.";

/// Nothing can come.
pub(super) const NO_RECEIVER: &str = "No bind of this SMSC receives: see bind= in smsc.urls.";
