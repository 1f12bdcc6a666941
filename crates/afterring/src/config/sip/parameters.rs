//! The parameters that may follow a peer's networks: the one table that they are read and documented by.

/// A parameter of a peer, as documented.
pub(in crate::config) struct Parameter {
    pub name: &'static str,
    /// What holds where it isn't given; empty where another setting does, which the meaning says.
    pub default: &'static str,
    pub form: &'static str,
    pub meaning: &'static str,
}

const fn peer(name: &'static str, default: &'static str, form: &'static str, meaning: &'static str) -> Parameter {
    Parameter { name, default, form, meaning }
}

const fn release(name: &'static str) -> Parameter {
    let form = "`status/cause`, such as `486/17`, or `302/URI`";
    peer(name, "", form, "How calls missed for this reason are released, instead of `sip.release`.")
}

/// All of them, in the order of the documents.
pub(in crate::config) const PARAMETERS: [Parameter; 23] = [
    peer(
        "name",
        "",
        "1 to 64 letters, digits and `. - _ : /`",
        "What logs and metrics call the peer; its first network when it isn't given. No two peers have the same.",
    ),
    peer(
        "trusted",
        "false",
        "`true` or `false`; `trusted` alone is `true`",
        "Whether it belongs to the trust domain (RFC 3325): only then is it believed about identities that others assert (P-Asserted-Identity, \
         Remote-Party-ID, P-Served-User, P-Called-Party-ID).",
    ),
    peer("rate", "0", "whole number, 0 to 1000000", "Most new calls a second; more get 503. 0: no limit."),
    peer(
        "concurrent",
        "0",
        "whole number, 0 to 1000000",
        "Most calls that wait for the journal at one time; more get 503. 0: no limit.",
    ),
    peer(
        "connections",
        "100",
        "whole number, 1 to 100000",
        "Most connections over TCP and TLS at one time; more are closed at once.",
    ),
    peer(
        "called",
        "diversion+history_info+target+isup+served_user+prefix+called_party_id+to",
        "these words in any order and number, joined by `+`",
        "Where the peer says who missed the call; the first that is there counts. `diversion`: Diversion; `history_info`: the entry of History-Info that \
         forwarded; `target`: the parameter of the Request-URI (RFC 4458); `isup`: Redirecting Number, else Original Called Number of a SIP-I body; \
         `served_user`: P-Served-User (trusted peers only); `prefix`: the Request-URI behind `prefix`; `called_party_id`: P-Called-Party-ID (trusted peers \
         only); `to`: To, where it isn't the number that was forwarded to.",
    ),
    peer(
        "diversion",
        "top",
        "`top` or `bottom`",
        "Where the last to forward stands among several Diversion entries: on top as RFC 5806 has it, or at the bottom with peers that reverse them.",
    ),
    peer(
        "party",
        "last",
        "`last` or `first`",
        "Who is told of a call that was forwarded more than once: the last, whose forwarding leads here, or the first who was called.",
    ),
    peer(
        "caller",
        "asserted_identity+from+isup",
        "`asserted_identity`, `remote_party_id`, `from`, `isup`, joined by `+`",
        "Where the peer says who rang; the first that holds a number counts. `asserted_identity`: P-Asserted-Identity, `remote_party_id`: Remote-Party-ID (trusted \
         peers only); `isup`: Calling Party Number of a SIP-I body.",
    ),
    peer(
        "prefix",
        "",
        "1 to 15 digits",
        "Digits that stand before the number of who missed the call in the Request-URI: with `12599`, `sip:12599+8613800000001@…` is a call that \
         +8613800000001 missed. Empty: not used.",
    ),
    peer(
        "not_found",
        "",
        "`unreachable` or `unknown`",
        "What the peer means by the forwarding cause 404; `sip.not_found` when it isn't given.",
    ),
    peer(
        "id",
        "icid",
        "`icid` or `call_id`",
        "What names a call, so that one reported twice counts once: `icid-value` of P-Charging-Vector (Call-ID where there is none), or Call-ID always, for \
         peers whose `icid-value` doesn't name one call.",
    ),
    peer(
        "reply_to",
        "via",
        "`via` or `source`",
        "Where responses over UDP go: as Via says (RFC 3261 §18.2.2, RFC 3581), or to the port that the request came from, for peers behind a NAT that don't ask \
         for it.",
    ),
    peer("country_code", "", "1 to 3 digits, the first not 0", "`numbering.country_code` of what this peer sends."),
    peer(
        "national_prefix",
        "",
        "at most 6 digits; empty: nothing",
        "`numbering.national_prefix` of what this peer sends.",
    ),
    peer(
        "international_prefix",
        "",
        "at most 6 digits; empty: nothing",
        "`numbering.international_prefix` of what this peer sends.",
    ),
    peer("shortest_national", "", "whole number, 4 to 14", "`numbering.shortest_national` of what this peer sends."),
    release("busy"),
    release("no_answer"),
    release("unreachable"),
    release("unconditional"),
    release("rejected"),
    release("unknown"),
];
