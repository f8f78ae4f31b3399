//! Named pipes, by overlapped I/O. One read and one write are under way at a time, each into or out of a buffer of its own; who
//! waits hears of their ends by [`Signals`].

use std::ffi::c_void;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::sync::Arc;

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_BROKEN_PIPE, ERROR_FILE_NOT_FOUND, ERROR_INVALID_NAME, ERROR_NO_DATA, ERROR_PIPE_BUSY,
    ERROR_PIPE_NOT_CONNECTED, GENERIC_READ, GENERIC_WRITE, HANDLE, INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::Networking::WinSock::WSAEADDRINUSE;
use windows_sys::Win32::Storage::FileSystem::{
    CreateFileW, FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, OPEN_EXISTING, PIPE_ACCESS_DUPLEX, ReadFile,
    SECURITY_IDENTIFICATION, SECURITY_SQOS_PRESENT, WriteFile,
};
use windows_sys::Win32::System::Pipes::{
    ConnectNamedPipe, CreateNamedPipeW, PIPE_READMODE_BYTE, PIPE_REJECT_REMOTE_CLIENTS, PIPE_TYPE_BYTE,
    PIPE_UNLIMITED_INSTANCES,
};

use super::super::{Mutex, Stream, refused};
use super::Source;
use super::operation::{Operation, Stage, hear_of};
use super::signals::Signals;

/// Bytes of one read, and of one write.
const BUFFER: usize = 64 * 1024;

/// Instances of a bound pipe that wait for a peer at the same time: as many can dial before one of them is accepted. Whoever
/// comes when all of them are taken is refused, and dials again.
const WAITING: usize = 8;

/// What the winpipe transport's options say of a pipe.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Manner {
    /// The address of the SECURITY_ATTRIBUTES that the program has given. 0: it has given none.
    pub security: usize,
    /// Bytes that the system is advised to keep for each direction.
    pub out_buffer: u32,
    pub in_buffer: u32,
}

/// The system's name of a pipe, with its NUL.
pub(crate) fn system_name(name: &[u8]) -> io::Result<Vec<u16>> {
    let invalid = || io::Error::from_raw_os_error(ERROR_INVALID_NAME as i32);
    let name = std::str::from_utf8(name).map_err(|_| invalid())?;
    if name.is_empty() || name.contains(['\\', '\0']) {
        return Err(invalid());
    }
    Ok(r"\\.\pipe\".encode_utf16().chain(name.encode_utf16()).chain([0]).collect())
}

/// Whether the other end is gone, in one of the ways in which pipes tell that.
fn is_end(code: i32) -> bool {
    [ERROR_BROKEN_PIPE, ERROR_NO_DATA, ERROR_PIPE_NOT_CONNECTED].contains(&(code as u32))
}

/// One end of a connection.
pub(crate) struct Pipe {
    handle: OwnedHandle,
    signals: Arc<Signals>,
    reading: Mutex<Reading>,
    writing: Mutex<Writing>,
}

struct Reading {
    operation: Arc<Operation>,
    /// What of its buffer was read and not taken yet.
    unread: Range<usize>,
    /// Why there will be no more. `None` inside: the peer has ended it.
    over: Option<Option<i32>>,
}

struct Writing {
    operation: Arc<Operation>,
    /// What of its buffer is to be written.
    unwritten: Range<usize>,
}

impl std::fmt::Debug for Pipe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Pipe").field(&self.handle.as_raw_handle()).finish()
    }
}

impl Pipe {
    /// Of a connected handle that belongs to the completion port.
    fn new(handle: OwnedHandle) -> Self {
        let signals = Arc::<Signals>::default();
        let (readable, writable) = (Arc::clone(&signals), Arc::clone(&signals));
        let reading = Operation::new(BUFFER, move || readable.set_readable(true));
        let writing = Operation::new(BUFFER, move || writable.set_writable(true));
        let pipe = Self {
            handle,
            signals,
            reading: Mutex::new(Reading { operation: reading, unread: 0..0, over: None }),
            writing: Mutex::new(Writing { operation: writing, unwritten: 0..0 }),
        };
        pipe.signals.set_writable(true);
        pipe.begin_read(&mut pipe.reading.lock());
        pipe
    }

    /// Dials: succeeds at once, or fails.
    pub(crate) fn dial(name: &[u8]) -> io::Result<Stream> {
        let name = system_name(name)?;
        // The server learns our identity, and cannot act in our name.
        let flags = FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION;
        // SAFETY: the name ends with a NUL; there are no attributes and no template.
        let handle = unsafe {
            CreateFileW(
                name.as_ptr(),
                GENERIC_READ | GENERIC_WRITE,
                0,
                ptr::null(),
                OPEN_EXISTING,
                flags,
                ptr::null_mut(),
            )
        };
        match owned(handle) {
            Ok(handle) => {
                hear_of(&handle)?;
                Ok(Self::new(handle).into())
            }
            Err(error) => match error.raw_os_error().map(|code| code as u32) {
                Some(ERROR_FILE_NOT_FOUND | ERROR_PIPE_BUSY) => Err(refused()),
                _ => Err(error),
            },
        }
    }

    pub(super) fn source(&self) -> Source<'_> {
        Source::Signals(&self.signals)
    }

    /// Bytes of the write that is under way.
    pub(super) fn pending_out(&self) -> usize {
        let mut writing = self.writing.lock();
        match self.go_on_writing(&mut writing) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => writing.unwritten.len(),
            _ => 0,
        }
    }

    /// As [`super::super::fill`] has it.
    pub(super) fn fill(&self, first: &mut Vec<u8>, limit: usize, second: &mut [u8]) -> io::Result<(usize, usize)> {
        let limit = limit.min(first.capacity() - first.len());
        let mut counts = (0, 0);
        self.take(|read| {
            let (into_first, rest) = read.split_at(limit.min(read.len()));
            first.extend_from_slice(into_first);
            let into_second = rest.len().min(second.len());
            second[..into_second].copy_from_slice(&rest[..into_second]);
            counts = (into_first.len(), into_second);
            counts.0 + counts.1
        })?;
        Ok(counts)
    }

    pub(super) fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.take(|read| {
            let count = read.len().min(buffer.len());
            buffer[..count].copy_from_slice(&read[..count]);
            count
        })
    }

    /// Gives what was read to `taker`, which says how much it has taken, and reads on when all of it is.
    fn take(&self, taker: impl FnOnce(&[u8]) -> usize) -> io::Result<usize> {
        let mut reading = self.reading.lock();
        let mut looked = false;
        while reading.unread.is_empty() {
            match reading.over {
                Some(None) => return Ok(0),
                Some(Some(code)) => return Err(io::Error::from_raw_os_error(code)),
                None => {}
            }
            match reading.operation.stage() {
                Stage::UnderWay if looked => return Err(io::ErrorKind::WouldBlock.into()),
                Stage::UnderWay => {
                    // Before the last look: what ends behind it makes it readable again.
                    self.signals.set_readable(false);
                    looked = true;
                }
                // Somebody has written no bytes at all, which is no end.
                Stage::Idle | Stage::Ended(Ok(0)) => self.begin_read(&mut reading),
                Stage::Ended(Ok(count)) => reading.unread = 0..count,
                Stage::Ended(Err(code)) => self.end_reading(&mut reading, code),
            }
        }
        let Range { start, end } = reading.unread;
        let taken = reading.operation.with_buffer(|buffer| taker(&buffer[start..end])).unwrap_or(0);
        reading.unread.start += taken;
        if reading.unread.is_empty() {
            self.begin_read(&mut reading);
        }
        Ok(taken)
    }

    fn begin_read(&self, reading: &mut Reading) {
        reading.unread = 0..0;
        let handle = self.handle.as_raw_handle();
        let stage = reading.operation.begin(|state, buffer, room| {
            // SAFETY: buffer and state stay where they are until the operation has ended.
            unsafe { ReadFile(handle, buffer, room as u32, ptr::null_mut(), state) }
        });
        if let Stage::Ended(Err(code)) = stage {
            self.end_reading(reading, code);
        }
    }

    /// It stays readable, so that everybody who looks finds the end.
    fn end_reading(&self, reading: &mut Reading, code: i32) {
        reading.over = Some((!is_end(code)).then_some(code));
        self.signals.set_readable(true);
    }

    pub(super) fn send_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut writing = self.writing.lock();
        self.go_on_writing(&mut writing)?;
        let copied = writing.operation.with_buffer(|buffer| {
            let mut count = 0;
            for part in parts {
                let taken = part.len().min(buffer.len() - count);
                buffer[count..count + taken].copy_from_slice(&part[..taken]);
                count += taken;
            }
            count
        });
        let count = copied.unwrap_or(0);
        if count > 0 {
            writing.unwritten = 0..count;
            self.begin_write(&mut writing)?;
        }
        Ok(count)
    }

    /// Whether there is room for another write: all of the last one is in the pipe.
    fn go_on_writing(&self, writing: &mut Writing) -> io::Result<()> {
        let mut looked = false;
        loop {
            match writing.operation.stage() {
                Stage::UnderWay if looked => return Err(io::ErrorKind::WouldBlock.into()),
                Stage::UnderWay => {
                    self.signals.set_writable(false);
                    looked = true;
                }
                Stage::Idle => return Ok(()),
                Stage::Ended(Err(code)) => return Err(self.broken(code)),
                Stage::Ended(Ok(count)) => {
                    writing.operation.settle();
                    writing.unwritten.start += count;
                    if writing.unwritten.is_empty() {
                        return Ok(());
                    }
                    self.begin_write(writing)?;
                }
            }
        }
    }

    fn begin_write(&self, writing: &mut Writing) -> io::Result<()> {
        let (handle, Range { start, end }) = (self.handle.as_raw_handle(), writing.unwritten.clone());
        let stage = writing.operation.begin(|state, buffer, _| {
            // SAFETY: as in `begin_read`; the range is one of the buffer's.
            unsafe { WriteFile(handle, buffer.add(start), (end - start) as u32, ptr::null_mut(), state) }
        });
        match stage {
            Stage::Ended(Err(code)) => Err(self.broken(code)),
            _ => Ok(()),
        }
    }

    /// A pipe that takes nothing more is read to its end, and no further.
    fn broken(&self, code: i32) -> io::Error {
        let mut reading = self.reading.lock();
        if reading.over.is_none() {
            self.end_reading(&mut reading, ERROR_BROKEN_PIPE as i32);
        }
        io::Error::from_raw_os_error(if is_end(code) { ERROR_BROKEN_PIPE as i32 } else { code })
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let handle = self.handle.as_raw_handle();
        self.reading.lock().operation.cancel(handle);
        self.writing.lock().operation.cancel(handle);
    }
}

fn owned(handle: HANDLE) -> io::Result<OwnedHandle> {
    if handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was just made, and nobody else has it.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// A bound name.
pub(crate) struct PipeListener {
    name: Vec<u16>,
    manner: Manner,
    /// Readable while a peer waits.
    signals: Arc<Signals>,
    waiting: Mutex<Vec<Instance>>,
}

/// One end that nobody has dialled yet, or somebody has.
struct Instance {
    handle: OwnedHandle,
    connecting: Arc<Operation>,
}

impl PipeListener {
    /// Fails with the error of an address in use where another process has the name.
    pub(crate) fn bind(name: &[u8], manner: Manner) -> io::Result<Self> {
        let listener = Self { name: system_name(name)?, manner, signals: Arc::default(), waiting: Mutex::default() };
        let first = listener.instance(FILE_FLAG_FIRST_PIPE_INSTANCE).map_err(|error| {
            let taken = [ERROR_ACCESS_DENIED, ERROR_PIPE_BUSY].map(|code| Some(code as i32));
            if taken.contains(&error.raw_os_error()) { io::Error::from_raw_os_error(WSAEADDRINUSE) } else { error }
        })?;
        let mut waiting = listener.waiting.lock();
        waiting.push(first);
        listener.wait_for_more(&mut waiting)?;
        drop(waiting);
        Ok(listener)
    }

    pub(crate) fn source(&self) -> Source<'_> {
        Source::Signals(&self.signals)
    }

    /// Takes one peer that has dialled.
    pub(crate) fn accept(&self) -> io::Result<Stream> {
        let mut waiting = self.waiting.lock();
        let dialled =
            |waiting: &[Instance]| waiting.iter().position(|instance| instance.connecting.stage() != Stage::UnderWay);
        let at = dialled(&waiting).or_else(|| {
            // Before the last look: who dials behind it makes it readable again.
            self.signals.set_readable(false);
            dialled(&waiting)
        });
        let Some(at) = at else {
            // Instances that could not be made before may be now.
            self.wait_for_more(&mut waiting)?;
            return Err(io::ErrorKind::WouldBlock.into());
        };
        let Instance { handle, connecting } = waiting.swap_remove(at);
        let more = self.wait_for_more(&mut waiting);
        if waiting.is_empty() {
            // Nobody can dial: who listens tries again when there is room.
            more?;
        }
        drop(waiting);
        match connecting.stage() {
            Stage::Ended(Err(code)) => Err(io::Error::from_raw_os_error(code)),
            _ => Ok(Pipe::new(handle).into()),
        }
    }

    /// Makes up the number of instances that wait.
    fn wait_for_more(&self, waiting: &mut Vec<Instance>) -> io::Result<()> {
        while waiting.len() < WAITING {
            waiting.push(self.instance(0)?);
        }
        Ok(())
    }

    fn instance(&self, flags: u32) -> io::Result<Instance> {
        let Manner { security, out_buffer, in_buffer } = self.manner;
        // SAFETY: the name ends with a NUL. That the attributes stay valid is the promise of the program that has set the option.
        let handle = owned(unsafe {
            CreateNamedPipeW(
                self.name.as_ptr(),
                PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | flags,
                PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_REJECT_REMOTE_CLIENTS,
                PIPE_UNLIMITED_INSTANCES,
                out_buffer,
                in_buffer,
                0,
                security as *const _,
            )
        })?;
        hear_of(&handle)?;
        let signals = Arc::clone(&self.signals);
        let connecting = Operation::new(0, move || signals.set_readable(true));
        let raw: *mut c_void = handle.as_raw_handle();
        let stage = connecting.begin(|state, _, _| {
            // SAFETY: the state stays where it is until the operation has ended.
            unsafe { ConnectNamedPipe(raw, state) }
        });
        match stage {
            Stage::Ended(Err(code)) if !is_end(code) => Err(io::Error::from_raw_os_error(code)),
            // There is a peer already. One that has gone again leaves a connection that has ended.
            Stage::Ended(_) => {
                self.signals.set_readable(true);
                Ok(Instance { handle, connecting })
            }
            _ => Ok(Instance { handle, connecting }),
        }
    }
}

impl Drop for PipeListener {
    fn drop(&mut self) {
        for Instance { handle, connecting } in self.waiting.lock().iter() {
            connecting.cancel(handle.as_raw_handle());
        }
    }
}
