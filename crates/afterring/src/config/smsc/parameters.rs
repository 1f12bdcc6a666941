//! The parameters that may follow the `?` of an SMSC's URL: the one table that they are read and documented by.

/// Whose a parameter is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::config) enum Of {
    /// The links of the URL.
    Links,
    /// The SMSC: all URLs of one name must say the same.
    Smsc,
    /// The SMSC, and it may differ by kind of message: `name.teaser` holds for teasers instead of `name`.
    Kind,
}

/// A parameter of an SMSC's URL, as documented.
pub(in crate::config) struct Parameter {
    pub name: &'static str,
    pub of: Of,
    pub default: &'static str,
    pub form: &'static str,
    pub meaning: &'static str,
}

const fn link(name: &'static str, default: &'static str, form: &'static str, meaning: &'static str) -> Parameter {
    Parameter { name, of: Of::Links, default, form, meaning }
}

const fn smsc(name: &'static str, default: &'static str, form: &'static str, meaning: &'static str) -> Parameter {
    Parameter { name, of: Of::Smsc, default, form, meaning }
}

const fn kind(name: &'static str, default: &'static str, form: &'static str, meaning: &'static str) -> Parameter {
    Parameter { name, of: Of::Kind, default, form, meaning }
}

/// All of them, in the order of the documents.
pub(in crate::config) const PARAMETERS: [Parameter; 37] = [
    link(
        "name",
        "",
        "1 to 64 letters, digits and `. - _ :`",
        "What logs, metrics and pages call the SMSC; `host:port` when it isn't given. Receipts are matched within it: keep it when the address changes. \
         URLs that say the same name are one SMSC at several addresses; their links are numbered on.",
    ),
    link(
        "bind",
        "transceiver",
        "`transceiver`, `transmitter`, `receiver` or `pair`",
        "What to bind for. `pair`: a transmitter and a receiver. Where an SMSC has its receivers at another port, give two URLs with the same name, \
         one with `transmitter` and one with `receiver`.",
    ),
    link(
        "binds",
        "1",
        "whole number, 1 to 64",
        "Binds at the same time, called `name/1` and so on; that many pairs with `bind=pair`, called `name/tx1`, `name/rx1` and so on.",
    ),
    link(
        "version",
        "3.4",
        "`3.3`, `3.4` or `5.0`",
        "The version of SMPP that is spoken. 3.3 has no transceiver: bind a pair.",
    ),
    link(
        "outbind",
        "",
        "`address:port`",
        "Where to listen for an SMSC that connects by itself and sends an outbind; empty: we connect. The URL's host and port are not dialled then.",
    ),
    link(
        "tls_ca",
        "",
        "path of a PEM file",
        "With `smpps://`: certificates of the authorities that may vouch for the SMSC, or its own certificate; empty: the authorities of the system.",
    ),
    link(
        "tls_cert",
        "",
        "path of a PEM file",
        "With `smpps://`: our own certificate, where the SMSC asks for one, and those that vouch for it.",
    ),
    link("tls_key", "", "path of a PEM file", "With `smpps://`: the key of `tls_cert`."),
    link(
        "tls_name",
        "",
        "host name or address",
        "With `smpps://`: the name that the SMSC's certificate must have; empty: the host.",
    ),
    link("system_type", "", "at most 12 ASCII characters", "What some SMSCs want to know of who binds."),
    link(
        "address_range",
        "",
        "at most 40 ASCII characters",
        "The numbers whose messages are asked for, as the SMSC wants them written; mostly empty.",
    ),
    link(
        "priority",
        "0",
        "whole number, 0 to 99",
        "Lower ones are preferred: others get messages only while none of the preferred is in service.",
    ),
    link("weight", "1", "whole number, 1 to 100", "The share of each bind among binds of the same priority."),
    link(
        "window",
        "100",
        "whole number, 1 to 10000",
        "Submits of one bind that may be unanswered at a time; with a rate, at most a second's worth of it.",
    ),
    link(
        "rate",
        "0",
        "whole number, 0 to 100000",
        "Most `submit_sm` per second of one bind, each part of a message counted, and each update (`replace_sm`, `cancel_sm`, `query_sm`); 0: no limit.",
    ),
    smsc(
        "smsc_rate",
        "0",
        "whole number, 0 to 100000",
        "Most `submit_sm` per second of all binds of the SMSC together; 0: no limit.",
    ),
    link(
        "enquire",
        "30s",
        "length of time, 1s to 1h",
        "Silence after which the SMSC is asked whether it lives (`enquire_link`).",
    ),
    link(
        "enquire_timeout",
        "10s",
        "length of time, 100ms to 5m",
        "How long the answer to that may take before the connection is given up.",
    ),
    link("timeout", "10s", "length of time, 100ms to 5m", "How long an answer may take before a submit is in doubt."),
    link(
        "update_timeout",
        "5s",
        "length of time, 100ms to 5m",
        "How long the answer to a `query_sm`, `cancel_sm` or `replace_sm` may take before the SMSC counts as unable to do it; in doubt, where it has answered \
         one before.",
    ),
    link("bind_timeout", "10s", "length of time, 100ms to 5m", "How long connecting may take, and how long binding."),
    link(
        "reconnect_min",
        "1s",
        "length of time, 10ms to 1h",
        "First wait after a lost connection; it doubles with each failure.",
    ),
    link("reconnect_max", "30s", "length of time, 10ms to 1h", "Longest wait after a lost connection."),
    link(
        "refused_wait",
        "1m",
        "length of time, 1s to 24h",
        "Wait after the SMSC refused the bind (password, system id); the longest after it said that somebody is bound already.",
    ),
    smsc(
        "status",
        "",
        "`number:class`, separated by semicolons, such as `0x400:throttled;1025:later`; classes: `throttled`, `later`, `elsewhere`, `refused`, `link_fault`",
        "What this SMSC means by a `command_status`, where it isn't what the standard says. `throttled`: slow down and send again; `later`: try again here; \
         `elsewhere`: try another SMSC; `refused`: give up; `link_fault`: bind anew. What nobody documented is `refused`.",
    ),
    smsc(
        "charset",
        "gsm",
        "`gsm`, `latin1`, `ascii` or `utf8`",
        "What `data_coding` 0 means at this SMSC, in both directions.",
    ),
    smsc(
        "packed",
        "false",
        "`true` or `false`",
        "Whether the SMSC wants the characters of the GSM alphabet packed, eight into seven octets; most don't.",
    ),
    smsc(
        "long",
        "udh",
        "`udh`, `udh16`, `sar` or `payload`",
        "How a message of several parts is sent: with a user data header (8 or 16 bit reference), with `sar_*` parameters, or whole in `message_payload`.",
    ),
    smsc(
        "validity",
        "relative",
        "`relative`, `absolute` or `omitted`",
        "How the validity is written: as a time from now on, as a moment in UTC, or not at all (the SMSC's own default holds).",
    ),
    smsc(
        "receipt_id",
        "auto",
        "`auto`, `same`, `decimal`, `hexadecimal` or `reference`",
        "How receipts write message ids, compared with the answer to the submit. `decimal`: the answer is hexadecimal and the receipt the same number in \
         decimal; `hexadecimal`: the other way round; `auto`: every form is tried. `reference`: for SMSCs whose ids say nothing (OsmoMSC): messages carry a \
         `user_message_reference`, and receipts are matched by that and the handset.",
    ),
    smsc(
        "update",
        "",
        "`auto`, `replace`, `cancel`, `replace_if_present` or `new`",
        "How alerts that this SMSC has are brought up to date with later calls (`alert.update`); empty: as that says.",
    ),
    kind(
        "registered_delivery",
        "1",
        "whole number, 0 to 255, or hexadecimal with `0x`",
        "Which receipts are asked for; 1: of every end. 0 asks for none: then nobody learns what became of a message, it counts as underway until its \
         validity ends, and calls that come in the meantime wait for `alert.update_wait`.",
    ),
    kind("priority_flag", "0", "whole number, 0 to 3", "Priority at the SMSC."),
    kind("service_type", "", "at most 5 ASCII characters", "The service at the SMSC that messages belong to."),
    kind("protocol_id", "0", "whole number, 0 to 255, or hexadecimal with `0x`", "`protocol_id` of GSM."),
    kind(
        "source_ton_npi",
        "",
        "`ton/npi`, such as `5/0`, each 0 to 255",
        "How the originator is marked; empty: `1/1` for a number, `3/0` for a short code, `5/0` for a name.",
    ),
    kind(
        "dest_ton_npi",
        "1/1",
        "`ton/npi`, such as `1/1`, each 0 to 255",
        "How the handset's number is marked; with the national type (2) it goes without the country code.",
    ),
];
