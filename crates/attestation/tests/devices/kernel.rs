//! The calls themselves, through a kernel: a file system in user space (FUSE) holds files under the devices' names, so a
//! real ioctl goes into the kernel with the real message and comes out at a server of ours. What the message points at the
//! server reads and writes where it is, by `/proc/self/mem`, as the drivers would. The devices are **simulated** all the
//! same.
//!
//! Needs the right to mount (root). Without it the test says so.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use attestation::gather::detect;
use attestation::nitro::Root;
use attestation::{Binding, Kind, Roots};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::sev_guest::table;
use crate::mock::{amd, nitro};

const ENOENT: i32 = 2;
const ENOSYS: i32 = 38;
const ENOSPC: i32 = 28;

/// A driver: takes a call's number and its message, changes the message, gives the result.
type Driver = Box<dyn FnMut(u32, &mut [u8; 32], &File) -> i32 + Send>;

/// A mounted root with one device in `dev`.
struct Mounted {
    at: PathBuf,
    server: Option<JoinHandle<()>>,
}

impl Mounted {
    /// Or why it cannot be.
    fn new(at: &Path, device: &'static str, driver: Driver) -> io::Result<Self> {
        let fuse = OpenOptions::new().read(true).write(true).open("/dev/fuse")?;
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", fuse.as_raw_fd());
        let options = CString::new(options).unwrap();
        mount("simulated-devices", at, "fuse", MountFlags::NODEV | MountFlags::NOSUID, Some(options.as_c_str()))?;
        let server = thread::spawn(move || Server { fuse, device, driver }.run());
        Ok(Self { at: at.to_owned(), server: Some(server) })
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        unmount(&self.at, UnmountFlags::DETACH).unwrap();
        self.server.take().unwrap().join().unwrap();
    }
}

struct Server {
    fuse: File,
    device: &'static str,
    driver: Driver,
}

/// Numbers of the files: root, `dev`, the device.
const ROOT: u64 = 1;
const DEV: u64 = 2;
const DEVICE: u64 = 3;

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// `struct fuse_attr`.
fn attributes(file: u64) -> Vec<u8> {
    let mode: u32 = if file == DEVICE { 0o100_600 } else { 0o040_700 };
    let mut bytes = vec![0; 88];
    bytes[..8].copy_from_slice(&file.to_le_bytes());
    bytes[60..64].copy_from_slice(&mode.to_le_bytes());
    bytes[64..68].copy_from_slice(&1_u32.to_le_bytes());
    bytes
}

impl Server {
    /// Until the file system is gone.
    fn run(mut self) {
        let memory = OpenOptions::new().read(true).write(true).open("/proc/self/mem").unwrap();
        let mut buffer = vec![0; 128 << 10];
        while let Ok(length) = self.fuse.read(&mut buffer) {
            let request = &buffer[..length];
            // `struct fuse_in_header`.
            let (operation, unique, file) = (u32_at(request, 4), u64_at(request, 8), u64_at(request, 16));
            let answer = match operation {
                1 => self.look_up(file, &request[40..]),
                2 | 42 => continue,
                3 => Ok([&[0; 16][..], &attributes(file)].concat()),
                14 | 18 | 25 => Ok(vec![0; if operation == 14 { 16 } else { 0 }]),
                26 => Ok(begin()),
                39 => Ok(self.call(&request[40..], &memory)),
                _ => Err(ENOSYS),
            };
            let (error, bytes) = answer.map_or_else(|errno| (-errno, vec![]), |bytes| (0, bytes));
            let whole = 16 + bytes.len() as u32;
            let head = [&whole.to_le_bytes()[..], &error.to_le_bytes(), &unique.to_le_bytes()].concat();
            self.fuse.write_all(&[head, bytes].concat()).unwrap();
        }
    }

    fn look_up(&self, folder: u64, name: &[u8]) -> Result<Vec<u8>, i32> {
        let name = name.strip_suffix(b"\0").unwrap();
        let file = match folder {
            ROOT if name == b"dev" => DEV,
            DEV if name == self.device.as_bytes() => DEVICE,
            _ => return Err(ENOENT),
        };
        Ok([&file.to_le_bytes()[..], &[0; 32], &attributes(file)].concat())
    }

    /// `struct fuse_ioctl_in`, then the message; `struct fuse_ioctl_out`, then the message.
    fn call(&mut self, request: &[u8], memory: &File) -> Vec<u8> {
        let number = u32_at(request, 12);
        let mut message: [u8; 32] = request[32..].try_into().expect("both drivers' messages have 32 bytes");
        let result = (self.driver)(number, &mut message, memory);
        [&result.to_le_bytes()[..], &[0; 12], &message].concat()
    }
}

/// `struct fuse_init_out`: version 7.31, nothing extra.
fn begin() -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[..4].copy_from_slice(&7_u32.to_le_bytes());
    bytes[4..8].copy_from_slice(&31_u32.to_le_bytes());
    bytes[20..24].copy_from_slice(&4096_u32.to_le_bytes());
    bytes
}

fn mounted(device: &'static str, driver: Driver) -> Option<(tempfile::TempDir, Mounted)> {
    let folder = tempfile::tempdir().unwrap();
    match Mounted::new(folder.path(), device, driver) {
        Ok(mounted) => Some((folder, mounted)),
        Err(error) => {
            println!("SKIPPED: no file system can be mounted here ({error}); it needs root and /dev/fuse");
            None
        }
    }
}

const DATA: [u8; 64] = [0x5a; 64];

#[test]
fn the_secure_processor_is_asked_through_a_kernel() {
    let mut build = amd::Build::new();
    build.bind(&DATA);
    build.uvm = None;
    let (report, certificates) = (build.evidence(), table(&build.endorsements().chain));
    let mut calls = 0;
    let driver = move |number: u32, message: &mut [u8; 32], memory: &File| {
        calls += 1;
        assert_eq!(number, 0xc020_5302, "SNP_GET_EXT_REPORT");
        assert_eq!(message[0], 1, "the version of messages");
        let (request_at, response_at) = (u64_at(message, 8), u64_at(message, 16));
        let mut request = [0; 112];
        memory.read_exact_at(&mut request, request_at).unwrap();
        assert_eq!(request[..96], [&DATA[..], &[0; 32]].concat());
        let (table_at, room) = (u64_at(&request, 96), u32_at(&request, 104));
        if calls == 1 {
            assert_eq!(room, 16_384);
            memory.write_all_at(&20_480_u32.to_le_bytes(), request_at + 104).unwrap();
            message[24..].copy_from_slice(&(1_u64 << 32).to_le_bytes());
            return -ENOSPC;
        }
        assert_eq!((calls, room), (2, 20_480));
        let mut response = vec![0; 4000];
        response[4..8].copy_from_slice(&1184_u32.to_le_bytes());
        response[32..1216].copy_from_slice(&report);
        memory.write_all_at(&response, response_at).unwrap();
        memory.write_all_at(&certificates, table_at).unwrap();
        0
    };
    let Some((folder, _mounted)) = mounted("sev-guest", Box::new(driver)) else { return };
    let gathered = detect(folder.path()).unwrap().evidence(&DATA).unwrap();
    assert_eq!(gathered.kind, Kind::SevSnp);
    let roots = Roots { amd: build.roots(), ..Roots::vendors() };
    let claims = gathered.presented(None).unwrap().verify(&roots, build.now).unwrap();
    assert_eq!(Binding::Exact(DATA.to_vec()).check(&claims), Ok(()));
}

#[test]
fn the_report_alone_is_asked_for_where_certificates_have_no_room() {
    let report = amd::Build::new().evidence();
    let mut calls = vec![];
    let driver = move |number: u32, message: &mut [u8; 32], memory: &File| {
        calls.push(number);
        if number == 0xc020_5302 {
            message[24..].copy_from_slice(&(1_u64 << 32).to_le_bytes());
            memory.write_all_at(&u32::MAX.to_le_bytes(), u64_at(message, 8) + 104).unwrap();
            return -ENOSPC;
        }
        assert_eq!(calls, [0xc020_5302, 0xc020_5300]);
        let mut response = vec![0; 4000];
        response[4..8].copy_from_slice(&1184_u32.to_le_bytes());
        response[32..1216].copy_from_slice(&report);
        memory.write_all_at(&response, u64_at(message, 16)).unwrap();
        0
    };
    let Some((folder, _mounted)) = mounted("sev-guest", Box::new(driver)) else { return };
    let gathered = detect(folder.path()).unwrap().evidence(&DATA).unwrap();
    assert_eq!((gathered.evidence.len(), gathered.auxiliary.len()), (1184, 0));
}

#[test]
fn the_security_module_is_asked_through_a_kernel() {
    let driver = |number: u32, message: &mut [u8; 32], memory: &File| {
        assert_eq!(number, 0xc020_0a00, "NSM_IOCTL_RAW");
        let (request_at, request_length) = (u64_at(message, 0), u64_at(message, 8));
        let (response_at, room) = (u64_at(message, 16), u64_at(message, 24));
        assert_eq!(room, 0x3000);
        let mut request = vec![0; usize::try_from(request_length).unwrap()];
        memory.read_exact_at(&mut request, request_at).unwrap();
        let at = request.windows(64).position(|window| window == DATA).unwrap();
        let mut build = nitro::Build::new();
        build.user_data = Some(request[at..at + 64].to_vec());
        let answer = super::nsm::answer(&build.document());
        memory.write_all_at(&answer, response_at).unwrap();
        message[24..].copy_from_slice(&(answer.len() as u64).to_le_bytes());
        0
    };
    let Some((folder, _mounted)) = mounted("nsm", Box::new(driver)) else { return };
    let gathered = detect(folder.path()).unwrap().evidence(&DATA).unwrap();
    let roots = Roots { nitro: Root(nitro::ROOT.to_vec()), ..Roots::vendors() };
    let claims = gathered.presented(None).unwrap().verify(&roots, nitro::NOW).unwrap();
    assert_eq!(Binding::Exact(DATA.to_vec()).check(&claims), Ok(()));
}
