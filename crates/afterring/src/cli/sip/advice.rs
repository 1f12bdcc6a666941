//! What to do about each way in which a message can be refused.

use ingress::Refusal;

/// What the operator of the gateway, or of the peer, can change.
pub(super) const fn of(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Unreadable => {
            "The peer sends something that is not SIP as RFC 3261 has it, or the file doesn't hold the whole message: look at what is named above, and take it to \
             the peer's vendor."
        }
        Refusal::NotAPeer => {
            "Name the address in sip.peers, such as 10.1.0.0/24;name=msc. Where the message was captured elsewhere, say by --from who sends it to the gateway."
        }
        Refusal::TooLarge => "Let the peer leave out what isn't needed, such as the offers of its SDP.",
        Refusal::NoCalled => {
            "Let the peer add Diversion or History-Info when it forwards (most switches have a setting for it), or say in sip.peers where it says who missed the \
             call: called=, prefix=, and trusted for the headers that only trusted peers are believed about."
        }
        Refusal::UnreadableIsup => {
            "Let the peer send the IAM of ITU-T (version=itu-t92+) with Redirecting Number or Original Called Number, or add Diversion or History-Info."
        }
        Refusal::CalledOutsidePlan => {
            "Look at [numbering], or at country_code=, national_prefix= and international_prefix= of the peer; and whether the first header that names \
             somebody is the right one (called=, diversion=)."
        }
        Refusal::BadCaller | Refusal::BadReason | Refusal::BadTime | Refusal::BadId => "Take it to the peer's vendor.",
        Refusal::BadServiceNumber => {
            "Look at the Request-URI: its user should be the number that the call was forwarded to."
        }
        Refusal::Version => "Only SIP/2.0 exists: take it to the peer's vendor.",
        Refusal::Scheme => "Let the peer send to a sip:, sips: or tel: URI.",
        Refusal::Extension => {
            "Let the peer no longer require what is named above; nothing that a call needs is refused."
        }
        Refusal::Merged => "The call came by another way before: let the peer not fork to the gateway.",
        Refusal::NoDialog => {
            "Nothing is wrong where it follows a call that has ended; no call is made of it. An INVITE that forwards a call has no tag in To."
        }
        Refusal::Method => "Nothing is wrong: calls are forwarded by INVITE only, and keepalives come by OPTIONS.",
        Refusal::Draining => "It will be taken after the restart.",
        Refusal::Unauthorised
        | Refusal::InTheFuture
        | Refusal::TooOld
        | Refusal::BadWithheld
        | Refusal::UnknownField => "Only calls by HTTP are refused for this.",
    }
}
