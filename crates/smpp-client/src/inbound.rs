//! What comes from an SMSC unasked, and the acknowledgement that is owed for it.

use model::{Receipt, Reply};
use rusmpp::CommandId;
use tokio::sync::mpsc;

use crate::status;

/// Something from an SMSC, with the acknowledgement that it waits for.
#[derive(Debug)]
pub enum Inbound {
    /// A person texted us.
    Reply(Reply, Acknowledge),
    /// What became of a message.
    Receipt(Receipt, Acknowledge),
}

/// The answer that an SMSC waits for: [`accept`](Self::accept) it once the message is durable.
///
/// Dropping it is refusing it. When the connection has gone meanwhile, nothing is sent, and the SMSC delivers the message again.
#[derive(Debug)]
pub struct Acknowledge {
    owed: Option<Owed>,
}

#[derive(Debug)]
struct Owed {
    link: mpsc::Sender<Acknowledgement>,
    id: CommandId,
    sequence: u32,
}

/// An answer to be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Acknowledgement {
    pub(crate) id: CommandId,
    pub(crate) sequence: u32,
    pub(crate) status: u32,
}

impl Acknowledge {
    /// `link` has room for as many acknowledgements as one session may owe; `id` is that of the response.
    pub(crate) const fn new(link: mpsc::Sender<Acknowledgement>, id: CommandId, sequence: u32) -> Self {
        Self { owed: Some(Owed { link, id, sequence }) }
    }

    /// It is durable here: `ESME_ROK`.
    pub fn accept(mut self) {
        self.answer(status::ROK);
    }

    /// It can't be taken now: `ESME_RX_T_APPN`, upon which the SMSC delivers it again.
    pub fn refuse(mut self) {
        self.answer(status::RX_T_APPN);
    }

    fn answer(&mut self, status: u32) {
        if let Some(Owed { link, id, sequence }) = self.owed.take() {
            // It fails only when the session has ended, and then nobody waits for it.
            let _ = link.try_send(Acknowledgement { id, sequence, status });
        }
    }
}

impl Drop for Acknowledge {
    fn drop(&mut self) {
        self.answer(status::RX_T_APPN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_answered_once() {
        let (link, mut answers) = mpsc::channel(8);
        let owed = |sequence| Acknowledge::new(link.clone(), CommandId::DeliverSmResp, sequence);
        owed(1).accept();
        owed(2).refuse();
        drop(owed(3));
        for (sequence, status) in [(1, 0), (2, 0x64), (3, 0x64)] {
            assert_eq!(answers.try_recv(), Ok(Acknowledgement { id: CommandId::DeliverSmResp, sequence, status }));
        }
        assert!(answers.try_recv().is_err());
        let late = owed(4);
        drop(answers);
        late.accept();
    }
}
