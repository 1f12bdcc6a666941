//! What we owe a peer, which only a commit unwraps.

/// Proof that what was handed over is durable. Only this crate makes one, after the commit.
#[derive(Debug)]
pub struct Committed(());

impl Committed {
    pub(crate) const fn new() -> Self {
        Self(())
    }
}

/// An answer that a peer gets once what it told us is durable, and not before.
#[derive(Debug)]
#[must_use = "the peer waits for this answer"]
pub struct Owed<T>(T);

impl<T> Owed<T> {
    /// Wraps an answer when the event arrives.
    pub const fn new(answer: T) -> Self {
        Self(answer)
    }

    /// The answer, now that it may be given.
    pub fn settle(self, _: &Committed) -> T {
        self.0
    }
}
