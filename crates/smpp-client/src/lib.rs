//! smpp-client
