//! One request to the writer: tried in a transaction, perhaps again alone, and answered after the commit.

use tokio::sync::oneshot;

use super::turn::Turn;
use crate::StoreError;

/// A request, whatever it asks for.
pub(super) trait Job: Send {
    /// Does it, inside the transaction. Called again when the transaction was given up for another request's fault.
    fn attempt(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError>;
    /// Answers: what was done is committed.
    fn committed(self: Box<Self>);
    /// Answers: nothing was done.
    fn failed(self: Box<Self>, error: StoreError);
    /// How many events or rows it is about.
    fn weight(&self) -> usize;
}

struct Request<F, T> {
    run: F,
    weight: usize,
    done: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Job for Request<F, T>
where
    F: FnMut(&mut Turn<'_>) -> Result<T, StoreError> + Send,
    T: Send,
{
    fn attempt(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        self.done = Some((self.run)(turn)?);
        Ok(())
    }

    fn committed(self: Box<Self>) {
        // Whoever asked may have gone away; what was done stays done.
        let _ = self.reply.send(self.done.ok_or(StoreError::Closed));
    }

    fn failed(self: Box<Self>, error: StoreError) {
        let _ = self.reply.send(Err(error));
    }

    fn weight(&self) -> usize {
        self.weight
    }
}

/// A request about `weight` events or rows, and where its answer arrives.
pub(super) fn request<F, T>(weight: usize, run: F) -> (Box<dyn Job>, oneshot::Receiver<Result<T, StoreError>>)
where
    F: FnMut(&mut Turn<'_>) -> Result<T, StoreError> + Send + 'static,
    T: Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    (Box::new(Request { run, weight, done: None, reply }), answer)
}
