//! ethereum
