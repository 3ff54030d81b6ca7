//! Evidence is asked for by ioctl: of scripted devices, which stand in for `/dev/sev-guest` and `/dev/nsm` and are
//! **simulated**. What they are asked is compared byte by byte with the kernel's headers and AWS's interface; what they
//! answer is evidence of the mock vendors.
//!
//! The calls themselves go through a kernel in `devices/kernel.rs`.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first failure, and says what it skips"
)]

#[path = "devices/kernel.rs"]
mod kernel;
#[path = "devices/nsm.rs"]
mod nsm;
#[path = "devices/sev_guest.rs"]
mod sev_guest;

#[expect(dead_code, reason = "written for tests of verifiers, and more than is needed here")]
mod mock;
