//! How an SMSC wants messages to be written: the settings by which orders become PDUs.

use model::Kind;

/// What `data_coding` 0, the "SMSC default alphabet" (SMPP 3.4 §5.2.19), means at an SMSC. A text that is not in it and in the GSM 7-bit default alphabet goes as
/// UCS-2, since that is what the handset gets in the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Charset {
    /// GSM 7-bit default alphabet (3GPP TS 23.038 §6.2.1).
    #[default]
    Gsm,
    /// ISO 8859-1.
    Latin1,
    /// ASCII.
    Ascii,
    /// UTF-8.
    Utf8,
}

/// How a text that doesn't fit one message is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Long {
    /// Parts with a user data header, 8-bit reference (3GPP TS 23.040 §9.2.3.24.1).
    #[default]
    Udh8,
    /// Parts with a user data header, 16-bit reference (3GPP TS 23.040 §9.2.3.24.8).
    Udh16,
    /// Parts joined by `sar_msg_ref_num`, `sar_total_segments`, `sar_segment_seqnum` (SMPP 3.4 §5.3.2.22-24).
    Sar,
    /// One `submit_sm` with the whole text in `message_payload` (SMPP 3.4 §5.3.2.32): the SMSC cuts it.
    Payload,
}

impl Long {
    /// Whether optional parameters carry it, which SMPP 3.3 lacks.
    #[must_use]
    pub const fn needs_optional_parameters(self) -> bool {
        match self {
            Self::Udh8 | Self::Udh16 => false,
            Self::Sar | Self::Payload => true,
        }
    }
}

/// How the validity period is written (SMPP 3.4 §7.1.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ValidityForm {
    /// From the SMSC's own now on, up to 31 days: `000001000000000R`.
    #[default]
    Relative,
    /// As a time, in UTC: `261125180000000+`.
    Absolute,
    /// Not at all: the SMSC's own default holds.
    Omitted,
}

/// Type of number and numbering plan indicator (SMPP 3.4 §5.2.5, §5.2.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TonNpi {
    /// Type of number.
    pub ton: u8,
    /// Numbering plan indicator.
    pub npi: u8,
}

/// What differs by kind of message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KindWriting {
    /// `registered_delivery` (SMPP 3.4 §5.2.17); 1 asks for a receipt of every end.
    pub registered_delivery: u8,
    /// `priority_flag`, 0 to 3 (SMPP 3.4 §5.2.14).
    pub priority_flag: u8,
    /// `service_type`, at most 5 ASCII characters (SMPP 3.4 §5.2.11).
    pub service_type: String,
    /// `protocol_id` (3GPP TS 23.040 §9.2.3.9).
    pub protocol_id: u8,
    /// Of the originator; `None`: 1/1 for a number, 3/0 for a short code, 5/0 for a name.
    pub source: Option<TonNpi>,
    /// Of the handset; with the national type (2) the country code is left out, and a number of another country goes as international (1).
    pub destination: TonNpi,
}

impl Default for KindWriting {
    fn default() -> Self {
        Self {
            registered_delivery: 1,
            priority_flag: 0,
            service_type: String::new(),
            protocol_id: 0,
            source: None,
            destination: TonNpi { ton: 1, npi: 1 },
        }
    }
}

/// How an SMSC wants messages to be written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Writing {
    /// What `data_coding` 0 means there, for what we send and for what it delivers.
    pub charset: Charset,
    /// Whether septets of the GSM alphabet are packed, eight into seven octets (3GPP TS 23.038 §6.1.2.1), in both directions; only with [`Charset::Gsm`].
    pub packed: bool,
    /// How long texts are sent.
    pub long: Long,
    /// How validity is written.
    pub validity: ValidityForm,
    fallback: KindWriting,
    detail: KindWriting,
    teaser: KindWriting,
    notice: KindWriting,
    notify: KindWriting,
}

impl Writing {
    /// What holds for a kind of message.
    #[must_use]
    pub const fn of(&self, kind: Kind) -> &KindWriting {
        match kind {
            Kind::Fallback => &self.fallback,
            Kind::Detail => &self.detail,
            Kind::Teaser => &self.teaser,
            Kind::Notice => &self.notice,
            Kind::Notify => &self.notify,
        }
    }

    /// The same, to be set.
    pub const fn of_mut(&mut self, kind: Kind) -> &mut KindWriting {
        match kind {
            Kind::Fallback => &mut self.fallback,
            Kind::Detail => &mut self.detail,
            Kind::Teaser => &mut self.teaser,
            Kind::Notice => &mut self.notice,
            Kind::Notify => &mut self.notify,
        }
    }
}
