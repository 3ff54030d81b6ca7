//! development
