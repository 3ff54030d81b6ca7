//! The three calls to devices that answer by ioctl: all of the project's `unsafe` code.
//!
//! Why there is any: the kernel is told addresses of memory, in a number that no compiler follows. Older kernels and Nitro
//! enclaves have no other way to evidence (no file, no socket). Everything else about these devices is in safe code beside
//! this file: here a message is laid out as the kernel's headers have it, and nothing that came back is read.
//!
//! Why it is sound: each function borrows all the memory that its message names for as long as the call lasts, states no more
//! length than it borrowed, and borrows for writing what the kernel writes. The kernel keeps no address once a call returned, of
//! either driver (`drivers/virt/coco/sev-guest`, `drivers/misc/nsm.c`): it copies. That the file is such a device is believed of
//! whoever may put files into `/dev`, who is root; other files refuse the call, since the numbers are these drivers' own.
//!
//! An integer that is an address is made with `expose_provenance`: this is what tells the compiler that somebody may write there.

#![deny(clippy::undocumented_unsafe_blocks)]

use std::fs::File;
use std::io;

use rustix::ioctl::{Opcode, Updater, ioctl, opcode};

/// `struct snp_guest_request_ioctl`.
#[repr(C)]
struct GuestRequest {
    message_version: u8,
    padding: [u8; 7],
    request: u64,
    response: u64,
    /// The firmware's error in the lower half, the hypervisor's in the upper one.
    errors: u64,
}

/// `struct snp_ext_report_req`.
#[repr(C)]
struct ExtendedRequest {
    report: [u8; 96],
    certificates: u64,
    certificates_length: u32,
    padding: u32,
}

/// `struct nsm_raw`: two of `struct iovec`.
#[repr(C)]
struct Raw {
    request: u64,
    request_length: u64,
    response: u64,
    response_length: u64,
}

/// `SNP_GET_REPORT`, `SNP_GET_EXT_REPORT`, `NSM_IOCTL_RAW`.
const REPORT: Opcode = opcode::read_write::<GuestRequest>(b'S', 0);
const EXTENDED_REPORT: Opcode = opcode::read_write::<GuestRequest>(b'S', 2);
const RAW: Opcode = opcode::read_write::<Raw>(0x0a, 0);

/// The only version of messages to the secure processor.
const MESSAGE_VERSION: u8 = 1;

/// What a call to the secure processor says beside its result.
pub(super) struct Said {
    pub(super) result: io::Result<()>,
    /// As in `GuestRequest`.
    pub(super) errors: u64,
    /// What the kernel made of the room for certificates.
    pub(super) certificates_length: u32,
}

pub(super) fn report(device: &File, request: &[u8; 96], response: &mut [u8; 4000]) -> Said {
    let mut message = guest_request(request.as_ptr().expose_provenance(), response);
    // SAFETY: this call reads 96 bytes at `request` and writes 4,000 at `response`; both are borrowed, so, until it returned.
    let result = unsafe { ioctl(device, Updater::<REPORT, GuestRequest>::new(&mut message)) };
    Said { result: result.map_err(io::Error::from), errors: message.errors, certificates_length: 0 }
}

pub(super) fn extended_report(
    device: &File,
    request: &[u8; 96],
    certificates: &mut [u8],
    response: &mut [u8; 4000],
) -> Said {
    let mut extended = ExtendedRequest {
        report: *request,
        // No room that cannot be told: the kernel would write none then.
        certificates_length: u32::try_from(certificates.len()).unwrap_or(0),
        certificates: certificates.as_mut_ptr().expose_provenance() as u64,
        padding: 0,
    };
    let mut message = guest_request((&raw mut extended).expose_provenance(), response);
    // SAFETY: this call reads and writes an `ExtendedRequest` at `request`, which is a local one that nothing else refers
    // to; writes 4,000 bytes at `response` and `certificates_length` bytes, as told before the call, at `certificates`; both
    // are borrowed for writing until it returned.
    let result = unsafe { ioctl(device, Updater::<EXTENDED_REPORT, GuestRequest>::new(&mut message)) };
    let certificates_length = extended.certificates_length;
    Said { result: result.map_err(io::Error::from), errors: message.errors, certificates_length }
}

fn guest_request(request: usize, response: &mut [u8; 4000]) -> GuestRequest {
    GuestRequest {
        message_version: MESSAGE_VERSION,
        padding: [0; 7],
        request: request as u64,
        response: response.as_mut_ptr().expose_provenance() as u64,
        errors: 0,
    }
}

/// How many bytes the answer has, by the driver's word.
pub(super) fn raw(device: &File, request: &[u8], response: &mut [u8]) -> io::Result<u64> {
    let mut message = Raw {
        request: request.as_ptr().expose_provenance() as u64,
        request_length: request.len() as u64,
        response: response.as_mut_ptr().expose_provenance() as u64,
        response_length: response.len() as u64,
    };
    // SAFETY: this call reads `request_length` bytes at `request` and writes up to `response_length` at `response`, which are the
    // lengths of what is borrowed until it returned.
    unsafe { ioctl(device, Updater::<RAW, Raw>::new(&mut message)) }?;
    Ok(message.response_length)
}

#[cfg(test)]
mod tests {
    use std::mem::{offset_of, size_of};

    use super::*;

    /// Against `include/uapi/linux/sev-guest.h` and `include/uapi/linux/nsm.h`, worked out by hand.
    #[test]
    fn numbers_and_layouts_are_the_kernels() {
        assert_eq!([REPORT, EXTENDED_REPORT, RAW], [0xc020_5300, 0xc020_5302, 0xc020_0a00]);
        assert_eq!(size_of::<GuestRequest>(), 32);
        let at =
            [offset_of!(GuestRequest, request), offset_of!(GuestRequest, response), offset_of!(GuestRequest, errors)];
        assert_eq!(at, [8, 16, 24]);
        assert_eq!(size_of::<ExtendedRequest>(), 112);
        let at = [offset_of!(ExtendedRequest, certificates), offset_of!(ExtendedRequest, certificates_length)];
        assert_eq!(at, [96, 104]);
        assert_eq!((size_of::<Raw>(), offset_of!(Raw, response)), (32, 16));
    }

    /// A file that is no such device.
    #[test]
    fn another_file_refuses_each_call() {
        let file = File::open("/dev/null").unwrap();
        let mut response = [7; 4000];
        assert!(report(&file, &[1; 96], &mut response).result.is_err());
        let said = extended_report(&file, &[1; 96], &mut [9; 4096], &mut response);
        assert!(said.result.is_err());
        assert_eq!((said.errors, said.certificates_length), (0, 4096));
        assert!(raw(&file, b"request", &mut response).is_err());
        assert_eq!(response, [7; 4000]);
    }
}
