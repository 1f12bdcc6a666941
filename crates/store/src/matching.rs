//! Whose a receipt is: the rule, as a function of what is known of the alerts that its message id names.

use std::time::Duration;

use model::{AlertId, IdForm, Msisdn, Receipt, Timestamp, id_key};
use routing::{Alert, AlertState};

/// Alerts looked at when an SMSC gave one message id to many.
pub(crate) const SAME_ID: usize = 16;

/// How far the clocks of two nodes are apart at the most.
const CLOCKS: Duration = Duration::from_secs(60);

/// How long after an alert's last receipt a repeat of it is expected: what an SMSC needs to bind again and send what was not acknowledged.
const REPEATS: Duration = Duration::from_secs(300);

/// What is known of an SMSC's receipts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Known {
    /// How they write ids.
    pub(crate) form: Option<IdForm>,
    /// Whether the handset that they name is the one that they are about. Some SMSCs name themselves, an IMSI or our own code; none of those does it.
    pub(crate) names_handsets: bool,
}

/// An alert that the id of a receipt names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    /// The form in which the id names it.
    pub(crate) form: IdForm,
    /// The alert.
    pub(crate) alert: AlertId,
    /// Its handset.
    pub(crate) called: Msisdn,
    /// When it was made.
    pub(crate) made: Timestamp,
    /// Whether it waits for a receipt.
    pub(crate) standing: Standing,
}

/// Whether an alert waits for a receipt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    /// It does.
    Waits {
        /// Whether a part of it has the receipt's id as it is spelled.
        alike: bool,
    },
    /// It doesn't, and its ids are no longer known as they were spelled.
    Idle {
        /// When it ended, if it has.
        ended: Option<Timestamp>,
        /// Whether this receipt was counted for it before, as far as is known here.
        had_it: bool,
    },
}

/// Whose a receipt is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Match {
    /// This alert's.
    One(Chosen),
    /// Of alerts of which nothing tells which is meant, or whether one is.
    Ambiguous,
    /// Of no alert known here.
    Nobody,
}

/// The alert that a receipt is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Chosen {
    /// The alert.
    pub(crate) alert: AlertId,
    /// How the receipt writes its id.
    pub(crate) form: IdForm,
    /// Whether the receipt names its handset.
    pub(crate) by_handset: bool,
    /// Whether it proves how the SMSC writes ids: its handset has no alert that another form names.
    pub(crate) proves: bool,
}

impl Chosen {
    /// Whether no other alert can be meant: by its handset; where the receipt names none, by the id as it is, or in the form that is known.
    pub(crate) fn is_certain(&self, receipt: &Receipt, form: Option<IdForm>) -> bool {
        self.by_handset || (receipt.handset.is_none() && (self.form == IdForm::Same || form.is_some()))
    }
}

impl Candidate {
    /// What is known of an alert that a receipt's id names in this form, and whether it had this receipt before.
    pub(crate) fn new(form: IdForm, alert: &Alert, receipt: &Receipt, had_it: bool) -> Self {
        let standing = match &alert.state {
            AlertState::Accepted { parts, .. } => {
                Standing::Waits { alike: parts.iter().any(|part| part.id == receipt.message_id) }
            }
            AlertState::Queued { .. } | AlertState::Sending { .. } | AlertState::InDoubt { .. } => {
                Standing::Idle { ended: None, had_it }
            }
            AlertState::Superseded { at }
            | AlertState::Delivered { at }
            | AlertState::Undelivered { at }
            | AlertState::Expired { at }
            | AlertState::Failed { at, .. } => Standing::Idle { ended: Some(*at), had_it },
        };
        Self { form, alert: alert.id, called: alert.to, made: alert.created_at, standing }
    }

    const fn waits(&self) -> bool {
        matches!(self.standing, Standing::Waits { .. })
    }

    const fn had_it(&self) -> bool {
        matches!(self.standing, Standing::Idle { had_it: true, .. })
    }

    /// Whether it had ended for so long when a receipt came that this is no repeat of its own.
    fn is_over(&self, receipt: &Receipt) -> bool {
        matches!(self.standing, Standing::Idle { ended: Some(at), .. } if at + REPEATS < receipt.at)
    }

    const fn is_alike(&self) -> bool {
        matches!(self.standing, Standing::Waits { alike: true })
    }
}

/// Whose a receipt is, by all alerts that its id names in any form ([`Receipt::answers`]) and what is known of its SMSC.
///
/// Alerts of the handset that it names win. Where it names none of ours, the id decides, if only one alert has it; but nobody's is a receipt that names
/// another handset than the alert's once its SMSC is known to name handsets. No alert is meant that was made after the receipt came ([`is_before`]).
pub(crate) fn whose(receipt: &Receipt, known: Known, named: &[Candidate]) -> Match {
    let of_it = |one: &&Candidate| receipt.handset == Some(one.called);
    let meant: Vec<_> = named.iter().filter(|one| !is_before(receipt, one.made)).copied().collect();
    if named.iter().any(|one| of_it(&one)) {
        let own: Vec<_> = meant.iter().filter(of_it).copied().collect();
        of_the_handset(receipt, known.form, &own)
    } else if receipt.handset.is_some() && known.names_handsets {
        Match::Nobody
    } else {
        of_any_handset(receipt, known.form, &meant)
    }
}

/// Whether a receipt came before an alert was made, so that it is about an earlier message with the same id: some SMSCs give one to many, or count to
/// a few thousand only.
pub(crate) fn is_before(receipt: &Receipt, made: Timestamp) -> bool {
    receipt.at + CLOCKS < made
}

/// Of one handset's alerts, the one that the first form names, the SMSC's own form before the others. Where an SMSC gives one id to many, the only
/// one that still waits for a receipt; of several, the only one whose id is spelled like the receipt's. One that ended long ago is not meant: the id was
/// given again, and the receipt outruns its answer.
fn of_the_handset(receipt: &Receipt, known: Option<IdForm>, named: &[Candidate]) -> Match {
    let mut ended = false;
    for form in known.into_iter().chain(IdForm::ALL) {
        let of_form: Vec<_> = named.iter().filter(|one| one.form == form).collect();
        let chosen = match of_form.as_slice() {
            [] => continue,
            [only] if only.is_over(receipt) => continue,
            [only] => *only,
            several => {
                let mut waiting: Vec<_> = several.iter().copied().filter(|one| one.waits()).collect();
                if waiting.iter().any(|one| one.is_alike()) {
                    waiting.retain(|one| one.is_alike());
                }
                match waiting.as_slice() {
                    [] => {
                        ended = true;
                        continue;
                    }
                    [only] => *only,
                    [_, ..] => return Match::Ambiguous,
                }
            }
        };
        let proves = tells_forms_apart(&receipt.message_id) && named.iter().all(|one| one.form == form);
        return Match::One(Chosen { alert: chosen.alert, form, by_handset: true, proves });
    }
    if ended { Match::Ambiguous } else { Match::Nobody }
}

/// The only alert that any form names, or, of several by the id as it is, the only one whose id is spelled like this. Once it is known how the SMSC
/// writes ids, no other form counts. Until then an alert by another form counts only while it waits for a receipt, and is not believed against
/// the handset: of an SMSC that counts, the next receipt would be taken for an old alert's whenever it outruns its answer. One that was counted for an
/// ended alert by another form is a repeat, and no other's that its id names by chance.
fn of_any_handset(receipt: &Receipt, known: Option<IdForm>, named: &[Candidate]) -> Match {
    if named.len() >= SAME_ID {
        return Match::Ambiguous;
    }
    let (mut certain, mut guessed): (Vec<&Candidate>, Vec<&Candidate>) = (Vec::new(), Vec::new());
    for one in named.iter().filter(|one| known.is_none_or(|known| known == one.form)) {
        if one.form == IdForm::Same || known.is_some() {
            certain.push(one);
        } else if one.waits() && guessed.iter().all(|other| other.alert != one.alert) {
            guessed.push(one);
        }
    }
    guessed.retain(|one| certain.iter().all(|other| other.alert != one.alert));
    let is_other = |one: &Candidate| certain.iter().chain(&guessed).all(|other| other.alert != one.alert);
    let repeats = known.is_none() && named.iter().any(|one| one.had_it() && is_other(one));
    if repeats && !(certain.is_empty() && guessed.is_empty()) {
        return Match::Ambiguous;
    }
    let chosen = match (certain.as_slice(), guessed.as_slice()) {
        ([], []) => return Match::Nobody,
        ([], [_]) if receipt.handset.is_some() => return Match::Nobody,
        ([only], []) | ([], [only]) => only,
        ([_, ..], []) => match spelled_alike(&certain) {
            Some(alike) => alike,
            None => return Match::Ambiguous,
        },
        (_, [_, ..]) => return Match::Ambiguous,
    };
    Match::One(Chosen { alert: chosen.alert, form: chosen.form, by_handset: false, proves: false })
}

/// The only one of these alerts whose id is spelled like the receipt's; none when one has ended, since its ids are no longer known as spelled.
fn spelled_alike<'a>(named: &[&'a Candidate]) -> Option<&'a Candidate> {
    let mut alike = named.iter().copied().filter(|one| one.is_alike());
    let only = alike.next().filter(|_| named.iter().all(|one| one.waits()))?;
    alike.next().is_none().then_some(only)
}

/// Whether an id says in which form it is: one digit is the same in all.
fn tells_forms_apart(id: &str) -> bool {
    id_key(id).len() > 1
}
