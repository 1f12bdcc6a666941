//! What is wrong with the settings, all of it at once.

use std::fmt;

/// One fault of one setting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// `section.key` as documented, or what was written where it is no known key.
    pub key: String,
    /// Where the value was given: `afterring.toml:12`, `environment AFTERRING_…`, `--set`, `default`.
    pub place: String,
    /// The value as given; `None` where it is, or may hold, a secret.
    pub value: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// What would be valid; empty where the problem says it.
    pub valid: String,
}

/// All faults, in the order of the documents.
#[derive(Clone, PartialEq, Eq, Debug, Default, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

/// Longest value that is shown; more would hide the other faults.
const SHOWN: usize = 200;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        if let Some(value) = &self.value {
            let cut: String = value.chars().take(SHOWN).collect();
            write!(f, " = {cut:?}{}", if cut.len() < value.len() { "…" } else { "" })?;
        }
        write!(f, "\n    from:  {}\n    fault: {}", self.place, self.problem)?;
        if !self.valid.is_empty() {
            write!(f, "\n    valid: {}", self.valid)?;
        }
        Ok(())
    }
}

impl Fault {
    /// All of it in one line.
    #[must_use]
    pub fn line(&self) -> String {
        self.to_string().split('\n').map(str::trim).collect::<Vec<_>>().join("; ")
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("1 fault in the configuration:")?,
            count => write!(f, "{count} faults in the configuration:")?,
        }
        for fault in &self.0 {
            write!(f, "\n\n  {fault}")?;
        }
        Ok(())
    }
}

/// Why one value can't be used: one sentence for each fault in it. No sentence holds anything that could be part of a secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Problems(pub Vec<String>);

impl<T: Into<String>> From<T> for Problems {
    fn from(problem: T) -> Self {
        Self(vec![problem.into()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_tells_key_place_value_and_what_is_valid() {
        let fault = Fault {
            key: "stop.grace".into(),
            place: "afterring.toml:3".into(),
            value: Some("soon".into()),
            problem: "not a length of time".into(),
            valid: "60s".into(),
        };
        assert_eq!(
            Faults(vec![fault]).to_string(),
            "1 fault in the configuration:\n\n  stop.grace = \"soon\"\n    from:  afterring.toml:3\n    \
             fault: not a length of time\n    valid: 60s"
        );
    }
}
