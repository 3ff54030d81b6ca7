//! keyvalue
