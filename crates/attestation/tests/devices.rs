//! Evidence is asked for by ioctl: of scripted devices, which stand in for `/dev/sev-guest` and `/dev/nsm` and are **simulated**. What they are asked is
//! compared byte by byte with the kernel's headers and AWS's interface; what they answer is evidence of the mock vendors.
//!
//! The calls themselves are beside this in `character_device.rs`, against a file that a real kernel hands ioctls of.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first failure, and says what it skips"
)]

#[path = "devices/nsm.rs"]
mod nsm;
#[path = "devices/sev_guest.rs"]
mod sev_guest;

#[expect(dead_code, reason = "written for tests of verifiers, and more than is needed here")]
mod mock;
