//! Every state and event of the pure core.
