//! Black-box helpers.
