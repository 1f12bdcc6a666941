//! What a link needs to know.

use std::time::Duration;

use model::{LinkName, Numbering, Secret, SmscName};

/// One link: where it binds, as whom, and how fast it may send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkSettings {
    /// The link's name in logs, metrics and pages.
    pub name: LinkName,
    /// The SMSC it leads to; receipts are matched within it.
    pub smsc: SmscName,
    /// Host name or address of the SMSC.
    pub host: String,
    /// Its TCP port.
    pub port: u16,
    /// Who binds: at most 15 ASCII characters (SMPP 3.4 §5.2.1).
    pub system_id: String,
    /// At most 8 ASCII characters (SMPP 3.4 §5.2.2).
    pub password: Secret,
    /// Mostly empty; at most 12 ASCII characters (SMPP 3.4 §5.2.3).
    pub system_type: String,
    /// Submits that may be unanswered at a time, 1 to [`MAX_WINDOW`](crate::MAX_WINDOW).
    pub window: usize,
    /// `submit_sm` per second, 0 for no limit.
    pub rate: u32,
    /// Silence after which the SMSC is asked whether it lives.
    pub enquire_interval: Duration,
    /// How long an answer may take.
    pub response_timeout: Duration,
    /// How long connecting may take, and how long binding.
    pub bind_timeout: Duration,
    /// First wait after a lost connection; doubles with each failure.
    pub reconnect_min: Duration,
    /// Longest wait after a lost connection.
    pub reconnect_max: Duration,
    /// Wait after a refusal that asking again won't change (password, system id, already bound).
    pub refused_wait: Duration,
    /// How handsets' numbers are completed that are not international.
    pub numbering: Numbering,
}

/// Why no SMSC can be asked to bind with these settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum SettingsError {
    /// Longer than 15 characters, or not ASCII.
    #[error("system_id has at most 15 ASCII characters")]
    SystemId,
    /// Longer than 8 characters, or not ASCII.
    #[error("a password has at most 8 ASCII characters")]
    Password,
    /// Longer than 12 characters, or not ASCII.
    #[error("system_type has at most 12 ASCII characters")]
    SystemType,
}

impl LinkSettings {
    /// Whether a `bind_transceiver` can hold these settings; a link that can't stays down and says so.
    ///
    /// # Errors
    /// With the first text that doesn't fit its field.
    pub fn check(&self) -> Result<(), SettingsError> {
        if !fits(&self.system_id, 15) {
            return Err(SettingsError::SystemId);
        }
        if !fits(self.password.reveal(), 8) {
            return Err(SettingsError::Password);
        }
        if !fits(&self.system_type, 12) {
            return Err(SettingsError::SystemType);
        }
        Ok(())
    }
}

fn fits(text: &str, longest: usize) -> bool {
    text.len() <= longest && text.bytes().all(|octet| octet.is_ascii() && octet != 0)
}
