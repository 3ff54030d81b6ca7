//! The layer as a whole, in one process.
