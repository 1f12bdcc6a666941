//! What an error of the store says of what was asked.

use store::{Class, Fault, StoreError};

#[test]
fn an_answer_that_was_lost_leaves_open_what_was_done_and_a_refusal_does_not() {
    let shared = |class| StoreError::Shared(Fault { class, text: String::new() });
    for error in [shared(Class::Silent), shared(Class::Away), shared(Class::Other), StoreError::Closed] {
        assert!(error.leaves_open(), "{error:?}");
    }
    for error in [StoreError::Away, StoreError::Undecided, shared(Class::ReadOnly), shared(Class::Denied)] {
        assert!(!error.leaves_open(), "{error:?}");
    }
}
