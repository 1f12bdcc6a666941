//! The other side of the gateway, made up: an SMS centre with handsets, and a generator of missed calls.
//!
//! [`Smsc`] speaks SMPP 3.4 with a codec, alphabets and reassembly of its own: a peer that shared the gateway's decoder would share its
//! mistakes. It serves the demo, the black-box tests and the benchmarks; it isn't an SMSC for real subscribers.

pub mod calls;
mod pdu;
mod smsc;
mod text;

pub use smsc::{
    AnswerForm, Binds, Carrier, DefaultAlphabet, Delivery, Direction, EsmeAnswer, Faults, Hex, Life, MessageIds, Mode,
    Phone, PhoneChange, PhoneEvent, ReceiptIdForm, ReceiptOptions, ReceiptShape, ReceiptsFor, SessionView, Sms, Smsc,
    SmscCounts, SmscOptions, Submitted, TextPlace, TlsFiles, Updates, WireAddress,
};
