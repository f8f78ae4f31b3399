//! Memory that two processes share: segments that hold large messages, and pages on which their readers note what they have
//! given back. docs/shared-memory.md tells what both are for.
//!
//! Why this is sound, although others have the same memory:
//!
//! - *A mapping stays whole.* What a peer hands over is mapped only if it is a memfd of the announced size and is sealed
//!   against growing and shrinking: no access to it can miss (SIGBUS). The last reference unmaps it, and every
//!   holder of its bytes has one.
//! - *A segment is written by its maker alone.* It is sealed (F_SEAL_FUTURE_WRITE) once its maker has mapped it, and everybody
//!   else maps it privately: what a program writes into a message that it has received becomes a page of its own. Within its
//!   maker a block is given to one owner at a time, who may write until it is lent, and not afterwards.
//! - *A peer may write at any time* to memory that it has lent us, whatever it promised. The bytes are a program's, which decides
//!   itself whom it trusts; the library keeps nothing of its own there, no length, offset or pointer, derives none from what it
//!   reads there, and reads twice nothing that it decides by. As everywhere where memory is mapped, the compiler may take two
//!   reads of such a byte for equal; nothing that has to be safe depends on its value.
//! - *Words of a page are atomic*, and each is only compared with what its reader knows itself.
//! - A forked child has the mappings, but gives nothing back (see [`super::super::generation`], which `message::shared` asks).

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::ptr::NonNull;
use std::sync::Once;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use socket2::{Domain, MaybeUninitSlice, Socket};

use super::super::process::DropUncancelled;
use super::super::{CancelGuard, Mutex, generation};
use super::stream::direct;

/// Bytes of a page of returns, and the words in it.
pub(crate) const PAGE: usize = 4096;
pub(crate) const WORDS: usize = PAGE / size_of::<u32>();

/// The size of the descriptor that comes with a greeting is the version of what its sender understands.
const VERSION: u64 = 1;

const SEALS: libc::c_int = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;

/// Descriptors taken along in one read. The kernel closes what is beyond.
const AT_ONCE: usize = 1;

/// Something that can be given to another process.
#[derive(Debug)]
pub(crate) struct Descriptor(DropUncancelled<OwnedFd>);

impl Descriptor {
    /// A second one of the same.
    #[cfg(test)]
    pub(crate) fn duplicate(&self) -> Self {
        Self(self.0.try_clone().unwrap().into())
    }

    fn number(&self) -> libc::c_int {
        self.0.as_raw_fd()
    }
}

/// A memfd of this size, which programs that are executed do not get. Fails where there are none.
fn memory(length: u64) -> io::Result<Descriptor> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel fills the structure.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) } == 0;
    if !known || length > limit.rlim_cur {
        // Trying it would end the process (SIGXFSZ).
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    // SAFETY: the name ends with a NUL; the result is a descriptor of nobody else.
    let made = unsafe {
        let number = libc::memfd_create(c"nanomsg".as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING);
        if number < 0 {
            return Err(io::Error::last_os_error());
        }
        OwnedFd::from_raw_fd(number)
    };
    let made = Descriptor(made.into());
    let length = libc::off64_t::try_from(length).map_err(|_| io::ErrorKind::InvalidInput)?;
    let _whole = CancelGuard::new();
    // SAFETY: it takes numbers.
    checked(unsafe { libc::ftruncate64(made.number(), length) })?;
    Ok(made)
}

fn seal(descriptor: &Descriptor, seals: libc::c_int) -> io::Result<()> {
    // SAFETY: it takes numbers.
    checked(unsafe { libc::fcntl(descriptor.number(), libc::F_ADD_SEALS, seals) })
}

/// Whether this is memory of this size that nobody can change the size of.
fn is_sealed(descriptor: &Descriptor, length: u64) -> bool {
    // SAFETY: all zeros is a valid statfs, which the kernel fills. F_GET_SEALS takes numbers.
    let (kind, seals) = unsafe {
        let mut found: libc::statfs = std::mem::zeroed();
        let known = libc::fstatfs(descriptor.number(), &raw mut found) == 0;
        (known.then_some(found.f_type), libc::fcntl(descriptor.number(), libc::F_GET_SEALS))
    };
    // Of huge pages there may be none left when one is touched.
    kind == Some(libc::TMPFS_MAGIC) && seals >= 0 && seals & SEALS == SEALS && size_of_file(descriptor) == Some(length)
}

fn size_of_file(descriptor: &Descriptor) -> Option<u64> {
    let file = std::mem::ManuallyDrop::new(
        // SAFETY: it is open as long as `descriptor` is, and is not closed here.
        unsafe { File::from_raw_fd(descriptor.number()) },
    );
    file.metadata().ok().map(|facts| facts.size())
}

fn checked(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A mapping, and its end.
#[derive(Debug)]
struct Mapping {
    base: NonNull<u8>,
    length: usize,
}

// SAFETY: memory belongs to no thread; who writes where is said above.
unsafe impl Send for Mapping {}
// SAFETY: the same.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn of(descriptor: &Descriptor, length: usize, flags: libc::c_int) -> io::Result<Self> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let base = unsafe { libc::mmap(std::ptr::null_mut(), length, access, flags, descriptor.number(), 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { base, length })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `of` has mapped it, and every holder of its bytes has kept it alive until now.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.length) };
    }
}

/// Memory for messages.
#[derive(Debug)]
pub(crate) struct Segment {
    mapping: Mapping,
    descriptor: Descriptor,
}

impl Segment {
    /// One of our own, which nobody else can write to.
    pub(crate) fn create(length: usize) -> io::Result<Self> {
        let descriptor = memory(length as u64)?;
        let mapping = Mapping::of(&descriptor, length, libc::MAP_SHARED)?;
        // Before Linux 5.1 there is no such seal: then who is handed the segment could write to it.
        seal(&descriptor, libc::F_SEAL_FUTURE_WRITE)?;
        seal(&descriptor, SEALS)?;
        Ok(Self { mapping, descriptor })
    }

    /// One that a peer has handed over, and says to be so long.
    pub(crate) fn adopt(descriptor: Descriptor, length: usize) -> io::Result<Self> {
        if length == 0 || !is_sealed(&descriptor, length as u64) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mapping = Mapping::of(&descriptor, length, libc::MAP_PRIVATE | libc::MAP_NORESERVE)?;
        Ok(Self { mapping, descriptor })
    }

    pub(crate) fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    pub(crate) fn len(&self) -> usize {
        self.mapping.length
    }

    /// Where a program finds such a part.
    pub(crate) fn at(&self, offset: usize, length: usize) -> *mut u8 {
        assert!(offset <= self.len() && length <= self.len() - offset);
        // SAFETY: it lies within the mapping.
        unsafe { self.mapping.base.as_ptr().add(offset) }
    }

    /// Bytes of a message. See above for who may change them.
    pub(crate) fn bytes(&self, offset: usize, length: usize) -> &[u8] {
        // SAFETY: they lie within the mapping, which lives as long as this.
        unsafe { std::slice::from_raw_parts(self.at(offset, length), length) }
    }

    /// Fills a block, whose only owner asks for it.
    pub(crate) fn write(&self, offset: usize, data: &[u8]) {
        // SAFETY: it lies within the mapping, and `data` is borrowed from elsewhere: of a block that has one owner nobody
        // has borrowed anything.
        unsafe { std::ptr::copy(data.as_ptr(), self.at(offset, data.len()), data.len()) };
    }

    /// Has the kernel find memory for a part of it. Touching it could not fail in any other way than by a signal.
    pub(crate) fn commit(&self, offset: usize, length: usize) -> io::Result<()> {
        let _whole = CancelGuard::new();
        // SAFETY: it takes numbers.
        checked(unsafe { libc::fallocate64(self.descriptor.number(), 0, offset as _, length as _) })
    }

    /// Whether the program has written to a part of a segment that a peer has made, or may have.
    pub(crate) fn was_written(&self, offset: usize, length: usize) -> bool {
        /// Bits of an entry of /proc/self/pagemap (Documentation/admin-guide/mm/pagemap.rst).
        const PRESENT: u64 = 1 << 63;
        const SWAPPED: u64 = 1 << 62;
        const OF_FILE: u64 = 1 << 61;
        /// Entries read at a time.
        const ENTRIES: usize = 512;
        let first = self.at(offset, length).addr() / PAGE;
        let last = (self.at(offset, length).addr() + length).div_ceil(PAGE);
        let mut entries = [0_u8; ENTRIES * 8];
        let mut page = first;
        while page < last {
            let wanted = &mut entries[..8 * (last - page).min(ENTRIES)];
            if !read_pagemap(wanted, page as u64 * 8) {
                return true;
            }
            let own = |entry: &[u8]| {
                let entry = u64::from_ne_bytes(entry.try_into().expect("eight bytes"));
                entry & (PRESENT | SWAPPED) != 0 && entry & OF_FILE == 0
            };
            if wanted.chunks_exact(8).any(own) {
                return true;
            }
            page += wanted.len() / 8;
        }
        false
    }

    /// Gives the process pages of its own of such a part, before it forks: what becomes of the part later concerns neither of the two.
    pub(crate) fn make_private(&self, offset: usize, length: usize) {
        let mut at = offset;
        while at < offset + length {
            // SAFETY: a byte within the mapping. Other threads of the program may be writing to it at the same time, which an
            // atomic operation that changes nothing leaves alone.
            let byte = unsafe { AtomicU8::from_ptr(self.at(at, 1)) };
            let value = byte.load(Ordering::Relaxed);
            // Not `fetch_or`: the compiler makes a read of that. Where it fails, somebody has written.
            let _ = byte.compare_exchange(value, value, Ordering::Relaxed, Ordering::Relaxed);
            at = (at / PAGE + 1) * PAGE;
        }
    }

    /// In a forked child: what is written to one of our own is seen by nobody else from now on. The parent goes on using its own.
    pub(crate) fn leave_to_parent(&self) {
        let (access, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_NORESERVE | libc::MAP_FIXED);
        let (base, number) = (self.mapping.base.as_ptr().cast(), self.descriptor.number());
        // SAFETY: it takes the place of the very same mapping, with the same bytes. Where it fails the old one stays.
        unsafe { libc::mmap(base, self.len(), access, flags, number, 0) };
    }

    /// Makes what the program has written to such a part its maker's again.
    pub(crate) fn forget_writes(&self, offset: usize, length: usize) {
        let start = offset / PAGE * PAGE;
        let length = offset + length - start;
        // SAFETY: the part is a block that nobody has any more, in a private mapping of a file: the file's bytes come back.
        unsafe { libc::madvise(self.at(start, length).cast(), length, libc::MADV_DONTNEED) };
    }
}

/// What tells private pages from the file's, for the process that has opened it.
static PAGEMAP: Mutex<Option<(u32, File)>> = Mutex::new(None);

fn read_pagemap(entries: &mut [u8], at: u64) -> bool {
    let _whole = CancelGuard::new();
    // Not waited for: in a child of `fork` nobody may be there to let it go.
    let Some(mut known) = PAGEMAP.try_lock() else { return false };
    if known.as_ref().is_none_or(|(of, _)| *of != generation()) {
        // A parent's tells of the parent.
        *known = File::open("/proc/self/pagemap").ok().map(|file| (generation(), file));
    }
    known.as_ref().is_some_and(|(_, file)| file.read_exact_at(entries, at).is_ok())
}

/// Has these run in the thread that forks: before it, and afterwards in the parent and in the child.
pub(crate) fn at_fork(prepare: extern "C" fn(), parent: extern "C" fn(), child: extern "C" fn()) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the functions are static, and the library is never unloaded (linked with -z nodelete).
        unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) };
    });
}

/// Gives back what was only kept to be quick.
pub(crate) fn forget_pagemap() {
    let _whole = CancelGuard::new();
    if let Some(mut known) = PAGEMAP.try_lock() {
        known.take();
    }
}

/// A page of words that the maker of segments and one of its readers share.
#[derive(Debug)]
pub(crate) struct Page(Mapping);

impl Page {
    pub(crate) fn create() -> io::Result<(Self, Descriptor)> {
        let descriptor = memory(PAGE as u64)?;
        seal(&descriptor, SEALS)?;
        let page = Self(Mapping::of(&descriptor, PAGE, libc::MAP_SHARED)?);
        Ok((page, descriptor))
    }

    pub(crate) fn adopt(descriptor: &Descriptor) -> io::Result<Self> {
        if !is_sealed(descriptor, PAGE as u64) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Mapping::of(descriptor, PAGE, libc::MAP_SHARED).map(Self)
    }

    pub(crate) fn word(&self, index: usize) -> &AtomicU32 {
        assert!(index < WORDS);
        // SAFETY: it lies within the mapping, is aligned, and is only used as an atomic.
        unsafe { &*self.0.base.as_ptr().cast::<AtomicU32>().add(index) }
    }
}

/// Sends the first bytes of a connection, and with them the sign that large messages may come by reference. Who does not know
/// the sign does not see it: the kernel closes the descriptor that nobody has asked for. Where there is none it goes without.
pub(crate) fn greet(socket: &Socket, bytes: &[u8]) -> io::Result<usize> {
    let sign = memory(VERSION).and_then(|sign| seal(&sign, SEALS).map(|()| sign));
    match sign {
        Ok(sign) => send_with(socket, &[IoSlice::new(bytes)], &sign),
        Err(_) => super::stream::send(socket, bytes),
    }
}

/// Whether this is that sign.
pub(crate) fn is_sign(descriptor: &Descriptor) -> bool {
    is_sealed(descriptor, VERSION)
}

/// Whether the system could pass descriptors on this stream at all.
pub(crate) fn can_share(socket: &Socket) -> bool {
    socket.domain().is_ok_and(|domain| domain == Domain::UNIX)
}

/// The effective user of this process, which the kernel reports to peers.
pub(crate) fn own_user() -> u32 {
    // SAFETY: it has no arguments and cannot fail.
    unsafe { libc::geteuid() }
}

/// Room for descriptors beside bytes (cmsg(3)), aligned as their heads are.
#[repr(C, align(8))]
struct Control([u8; 32]);

/// Exactly [`AT_ONCE`]: with the padding of CMSG_SPACE there would be room for two.
// SAFETY: both take a number and give one.
const CONTROL: usize = unsafe { libc::CMSG_LEN((AT_ONCE * size_of::<libc::c_int>()) as u32) } as usize;
// SAFETY: the same.
const CONTROL_SPACE: usize = unsafe { libc::CMSG_SPACE((AT_ONCE * size_of::<libc::c_int>()) as u32) } as usize;
const _: () = assert!(CONTROL_SPACE <= size_of::<Control>());

/// Writes to a stream, and a descriptor with the first byte. If the system does not pass it on, the bytes go without.
pub(crate) fn send_with(socket: &Socket, parts: &[IoSlice<'_>], descriptor: &Descriptor) -> io::Result<usize> {
    let mut control = Control([0; 32]);
    // SAFETY: all zeros is a valid msghdr.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    (message.msg_iov, message.msg_iovlen) = (parts.as_ptr().cast_mut().cast(), parts.len() as _);
    (message.msg_control, message.msg_controllen) = ((&raw mut control).cast(), CONTROL_SPACE as _);
    // SAFETY: there is room for a head and a number, aligned.
    unsafe {
        let head = libc::CMSG_FIRSTHDR(&raw const message);
        ((*head).cmsg_level, (*head).cmsg_type) = (libc::SOL_SOCKET, libc::SCM_RIGHTS);
        (*head).cmsg_len = CONTROL as _;
        libc::CMSG_DATA(head).cast::<libc::c_int>().write_unaligned(descriptor.number());
    }
    loop {
        // SAFETY: the header describes `parts`, which are laid out as iovecs (std promises it), and `control`.
        match unsafe { direct!(SYS_sendmsg, socket.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) } {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error)
                if matches!(
                    error.raw_os_error(),
                    Some(libc::ETOOMANYREFS | libc::EPERM | libc::EBADF | libc::EINVAL)
                ) =>
            {
                return super::stream::send_vectored(socket, parts);
            }
            result => return result,
        }
    }
}

/// Reads once, as `fill` does, and takes a descriptor that comes along. Nobody but us has it.
pub(crate) fn fill_with(
    socket: &Socket,
    first: &mut Vec<u8>,
    limit: usize,
    second: &mut [u8],
    found: &mut Vec<Descriptor>,
) -> io::Result<(usize, usize)> {
    let old = first.len();
    let spare = first.spare_capacity_mut();
    let limit = limit.min(spare.len());
    // SAFETY: initialised bytes may be seen as possibly uninitialised ones; the kernel writes no uninitialised ones into
    // them.
    let second = unsafe { &mut *(std::ptr::from_mut(second) as *mut [std::mem::MaybeUninit<u8>]) };
    let mut parts = [MaybeUninitSlice::new(&mut spare[..limit]), MaybeUninitSlice::new(second)];
    let mut control = Control([0; 32]);
    // SAFETY: all zeros is a valid msghdr, and describes `parts`, which are laid out as iovecs (socket2 promises it), and
    // `control`. They outlive the call.
    let (received, message) = unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        (message.msg_iov, message.msg_iovlen) = (parts.as_mut_ptr().cast(), parts.len() as _);
        (message.msg_control, message.msg_controllen) = ((&raw mut control).cast(), CONTROL as _);
        let flags = libc::MSG_CMSG_CLOEXEC;
        (direct!(SYS_recvmsg, socket.as_raw_fd(), &raw mut message, flags)?, message)
    };
    // SAFETY: the kernel has written whole heads, and numbers of descriptors that are ours from now on.
    unsafe {
        let mut head = libc::CMSG_FIRSTHDR(&raw const message);
        while let Some(at) = head.as_ref() {
            if (at.cmsg_level, at.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
                let data = libc::CMSG_DATA(head).cast::<libc::c_int>();
                let length: usize = at.cmsg_len as _;
                let count = length.saturating_sub(libc::CMSG_LEN(0) as usize) / size_of::<libc::c_int>();
                for index in 0..count {
                    let number = data.add(index).read_unaligned();
                    found.push(Descriptor(OwnedFd::from_raw_fd(number).into()));
                }
            }
            head = libc::CMSG_NXTHDR(&raw const message, head);
        }
    }
    let into_first = received.min(limit);
    // SAFETY: the kernel has initialised the first `into_first` bytes of the spare capacity.
    unsafe { first.set_len(old + into_first) };
    Ok((into_first, received - into_first))
}

#[cfg(test)]
mod tests {
    use socket2::Type;

    use super::*;

    fn pair() -> (Socket, Socket) {
        Socket::pair(Domain::UNIX, Type::STREAM, None).unwrap()
    }

    fn passed(descriptor: &Descriptor) -> Vec<Descriptor> {
        let (near, far) = pair();
        send_with(&near, &[IoSlice::new(b"x")], descriptor).unwrap();
        let (mut found, mut byte) = (Vec::new(), [0]);
        assert_eq!(fill_with(&far, &mut Vec::new(), 0, &mut byte, &mut found).unwrap(), (0, 1));
        found
    }

    #[test]
    fn what_its_maker_writes_is_seen_and_what_others_write_is_not() {
        let own = Segment::create(4 * PAGE).unwrap();
        own.commit(0, 4 * PAGE).unwrap();
        own.write(PAGE, b"first");
        let theirs = Segment::adopt(passed(own.descriptor()).pop().unwrap(), 4 * PAGE).unwrap();
        assert_eq!(theirs.bytes(PAGE, 5), b"first");
        assert!(!theirs.was_written(0, 4 * PAGE));
        theirs.write(PAGE, b"wrong");
        assert!(theirs.was_written(PAGE, 5) && !theirs.was_written(2 * PAGE, PAGE));
        assert_eq!((own.bytes(PAGE, 5), theirs.bytes(PAGE, 5)), (&b"first"[..], &b"wrong"[..]));
        theirs.forget_writes(PAGE, 5);
        assert!(!theirs.was_written(PAGE, 5));
        own.write(PAGE, b"again");
        assert_eq!(theirs.bytes(PAGE, 5), b"again");
        // Nobody else can map it for writing.
        assert!(Mapping::of(theirs.descriptor(), 4 * PAGE, libc::MAP_SHARED).is_err());
    }

    #[test]
    fn memory_that_could_shrink_or_is_of_another_size_is_refused() {
        let open = memory(PAGE as u64).unwrap();
        assert!(Segment::adopt(passed(&open).pop().unwrap(), PAGE).is_err());
        assert!(Page::adopt(&open).is_err() && !is_sign(&open));
        seal(&open, SEALS).unwrap();
        assert!(Segment::adopt(passed(&open).pop().unwrap(), 2 * PAGE).is_err());
        assert!(Segment::adopt(passed(&open).pop().unwrap(), PAGE).is_ok());
        let file = tempfile::tempfile().unwrap();
        file.set_len(PAGE as u64).unwrap();
        let file = Descriptor(OwnedFd::from(file).into());
        assert!(Segment::adopt(file, PAGE).is_err());
    }

    #[test]
    fn what_was_made_private_is_not_seen_to_change() {
        let own = Segment::create(4 * PAGE).unwrap();
        own.write(0, &[1; 4 * PAGE]);
        let theirs = Segment::adopt(passed(own.descriptor()).pop().unwrap(), 4 * PAGE).unwrap();
        theirs.make_private(10, 2 * PAGE);
        own.write(0, &[2; 4 * PAGE]);
        assert_eq!(theirs.bytes(0, 3 * PAGE), [1; 3 * PAGE]);
        assert_eq!(theirs.bytes(3 * PAGE, PAGE), [2; PAGE]);
    }

    #[test]
    fn words_are_shared() {
        let (page, descriptor) = Page::create().unwrap();
        let other = Page::adopt(&descriptor).unwrap();
        page.word(WORDS - 1).store(7, Ordering::Release);
        assert_eq!(other.word(WORDS - 1).load(Ordering::Acquire), 7);
    }

    #[test]
    fn a_greeting_brings_the_sign() {
        let (near, far) = pair();
        assert_eq!(greet(&near, b"hello").unwrap(), 5);
        let (mut found, mut bytes) = (Vec::new(), [0; 9]);
        assert_eq!(fill_with(&far, &mut Vec::new(), 0, &mut bytes, &mut found).unwrap(), (0, 5));
        assert!(found.len() == 1 && is_sign(&found[0]));
    }

    /// Many in one message, and more behind it: one is taken, and is ours to close.
    #[test]
    fn what_is_too_much_is_closed_by_the_kernel() {
        let (near, far) = pair();
        let numbers = [near.as_raw_fd(); 8];
        let mut control = [0_u64; 16];
        let byte = IoSlice::new(b"x");
        // SAFETY: room for eight numbers, all of which are open.
        unsafe {
            let mut message: libc::msghdr = std::mem::zeroed();
            (message.msg_iov, message.msg_iovlen) = ((&raw const byte).cast_mut().cast(), 1);
            message.msg_control = control.as_mut_ptr().cast();
            message.msg_controllen = libc::CMSG_SPACE(size_of_val(&numbers) as u32) as _;
            let head = libc::CMSG_FIRSTHDR(&raw const message);
            ((*head).cmsg_level, (*head).cmsg_type) = (libc::SOL_SOCKET, libc::SCM_RIGHTS);
            (*head).cmsg_len = libc::CMSG_LEN(size_of_val(&numbers) as u32) as _;
            libc::CMSG_DATA(head).cast::<[libc::c_int; 8]>().write_unaligned(numbers);
            assert_eq!(libc::sendmsg(near.as_raw_fd(), &raw const message, 0), 1);
        }
        let mut found = Vec::new();
        fill_with(&far, &mut Vec::new(), 0, &mut [0; 4], &mut found).unwrap();
        assert_eq!(found.len(), 1);
    }
}
