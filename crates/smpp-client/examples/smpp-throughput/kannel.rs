//! Kannel
