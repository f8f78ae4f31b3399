//! Named pipes, by overlapped I/O. One read and one write are under way at a time, each into or out of a buffer of its own; an
//! event of the system's tells when it has ended ([`Signals`]).

use std::ffi::c_void;
use std::io::{self, IoSlice};
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::sync::{Arc, OnceLock};

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_BROKEN_PIPE, ERROR_FILE_NOT_FOUND, ERROR_INVALID_NAME, ERROR_IO_INCOMPLETE,
    ERROR_IO_PENDING, ERROR_NO_DATA, ERROR_OPERATION_ABORTED, ERROR_PIPE_BUSY, ERROR_PIPE_CONNECTED,
    ERROR_PIPE_NOT_CONNECTED, GENERIC_READ, GENERIC_WRITE, HANDLE, INVALID_HANDLE_VALUE, STATUS_PENDING,
};
use windows_sys::Win32::Networking::WinSock::WSAEADDRINUSE;
use windows_sys::Win32::Storage::FileSystem::{
    CreateFileW, FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, OPEN_EXISTING, PIPE_ACCESS_DUPLEX, ReadFile,
    SECURITY_IDENTIFICATION, SECURITY_SQOS_PRESENT, WriteFile,
};
use windows_sys::Win32::System::IO::{CancelIoEx, CreateIoCompletionPort, GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Pipes::{
    ConnectNamedPipe, CreateNamedPipeW, PIPE_READMODE_BYTE, PIPE_REJECT_REMOTE_CLIENTS, PIPE_TYPE_BYTE,
    PIPE_UNLIMITED_INSTANCES,
};

use super::super::{Mutex, Stream, refused};
use super::Source;
use super::signals::{Signal, Signals};

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
fn is_end(error: &io::Error) -> bool {
    const ENDS: [u32; 3] = [ERROR_BROKEN_PIPE, ERROR_NO_DATA, ERROR_PIPE_NOT_CONNECTED];
    error.raw_os_error().is_some_and(|code| ENDS.contains(&(code as u32)))
}

/// Whether the system has ended an operation because the thread has ended that had begun it: see [`outlive_threads`].
fn is_aborted(error: &io::Error) -> bool {
    error.raw_os_error() == Some(ERROR_OPERATION_ABORTED as i32)
}

/// When a thread ends, the system cancels what it had begun, but for handles that belong to a completion port. Any thread of the
/// program's may begin something here. Nothing is ever reported to the port.
fn outlive_threads(handle: &OwnedHandle) -> io::Result<()> {
    static PORT: OnceLock<Option<OwnedHandle>> = OnceLock::new();
    let port = PORT.get_or_init(|| {
        // SAFETY: a new port, which takes nothing.
        let port = unsafe { CreateIoCompletionPort(INVALID_HANDLE_VALUE, ptr::null_mut(), 0, 1) };
        // SAFETY: it was just made, and nobody else has it.
        (!port.is_null()).then(|| unsafe { OwnedHandle::from_raw_handle(port) })
    });
    let Some(port) = port else { return Err(io::ErrorKind::OutOfMemory.into()) };
    // SAFETY: both handles are open.
    let joined = unsafe { CreateIoCompletionPort(handle.as_raw_handle(), port.as_raw_handle(), 0, 0) };
    if joined.is_null() { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// One operation of a handle's, which the system may be working on: it has the addresses of all that is in here.
struct Overlapped {
    state: Box<OVERLAPPED>,
    under_way: bool,
}

// SAFETY: the pointers in it are the system's.
unsafe impl Send for Overlapped {}

impl Overlapped {
    fn new(signal: &Signal) -> Self {
        // SAFETY: all zeros is a valid OVERLAPPED.
        let mut state: Box<OVERLAPPED> = Box::new(unsafe { std::mem::zeroed() });
        // The lowest bit says that the completion port is not to be told (GetQueuedCompletionStatus).
        state.hEvent = signal.raw().map_addr(|address| address | 1);
        Self { state, under_way: false }
    }

    /// Begins it. The event is set when it has ended, also if that is at once.
    fn begin(&mut self, signal: &Signal, call: impl FnOnce(*mut OVERLAPPED) -> i32) -> io::Result<()> {
        let begun = if call(&raw mut *self.state) != 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
        match begun {
            Err(error) if error.raw_os_error() == Some(ERROR_IO_PENDING as i32) => {}
            Err(error) if error.raw_os_error() == Some(ERROR_PIPE_CONNECTED as i32) => {
                // The peer was there before the call, and the system is not working on anything.
                signal.set();
                return Ok(());
            }
            Err(error) => {
                signal.set();
                return Err(error);
            }
            Ok(()) => signal.set(),
        }
        self.under_way = true;
        Ok(())
    }

    fn has_ended(&self) -> bool {
        // As the macro HasOverlappedIoCompleted asks.
        // SAFETY: it is ours; the system may write it at any time.
        !self.under_way || unsafe { (&raw const self.state.Internal).read_volatile() } != STATUS_PENDING as usize
    }

    /// How many bytes it has moved. `None`: it has not ended.
    fn ended(&mut self, handle: HANDLE) -> Option<io::Result<usize>> {
        if !self.under_way {
            return Some(Ok(0));
        }
        let mut count = 0;
        // SAFETY: the operation is one of this handle's; without waiting.
        let result = unsafe { GetOverlappedResult(handle, &raw const *self.state, &raw mut count, 0) };
        let result = if result != 0 { Ok(count as usize) } else { Err(io::Error::last_os_error()) };
        if result.as_ref().is_err_and(|error| error.raw_os_error() == Some(ERROR_IO_INCOMPLETE as i32)) {
            return None;
        }
        self.under_way = false;
        Some(result)
    }

    /// The system lets go of it.
    fn cancel(&mut self, handle: HANDLE, signal: &Signal) {
        if self.has_ended() {
            return;
        }
        // SAFETY: the operation is one of this handle's.
        unsafe { CancelIoEx(handle, &raw const *self.state) };
        // Cancelled, it ends at once. Another one may have set the event.
        while !self.has_ended() {
            signal.reset();
            if !self.has_ended() {
                signal.wait();
            }
        }
        self.under_way = false;
    }
}

/// One end of a connection.
pub(crate) struct Pipe {
    handle: OwnedHandle,
    signals: Arc<Signals>,
    reading: Mutex<Reading>,
    writing: Mutex<Writing>,
}

struct Reading {
    operation: Overlapped,
    buffer: Box<[u8]>,
    /// What of the buffer was read and not taken yet.
    start: usize,
    end: usize,
    /// Why there will be no more. `None` inside: the peer has ended it.
    over: Option<Option<i32>>,
}

struct Writing {
    operation: Overlapped,
    buffer: Vec<u8>,
    /// How much of the buffer is written.
    written: usize,
}

impl std::fmt::Debug for Pipe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Pipe").field(&self.handle.as_raw_handle()).finish()
    }
}

impl Pipe {
    /// Of a connected handle.
    fn new(handle: OwnedHandle) -> io::Result<Self> {
        let signals = Signals::new()?;
        let reading = Reading {
            operation: Overlapped::new(&signals.readable),
            buffer: vec![0; BUFFER].into(),
            start: 0,
            end: 0,
            over: None,
        };
        let writing = Writing { operation: Overlapped::new(&signals.writable), buffer: Vec::new(), written: 0 };
        let pipe = Self { handle, signals, reading: Mutex::new(reading), writing: Mutex::new(writing) };
        pipe.signals.writable.set();
        pipe.begin_read(&mut pipe.reading.lock());
        Ok(pipe)
    }

    /// Dials: succeeds at once, or fails.
    pub(crate) fn dial(name: &[u8]) -> io::Result<Stream> {
        let name = system_name(name)?;
        // Whoever is bound there learns who we are, and cannot act in our name.
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
                outlive_threads(&handle)?;
                Ok(Self::new(handle)?.into())
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
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => writing.buffer.len() - writing.written,
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
        while reading.start == reading.end {
            match reading.over {
                Some(None) => return Ok(0),
                Some(Some(code)) => return Err(io::Error::from_raw_os_error(code)),
                None => {}
            }
            match reading.operation.ended(self.handle.as_raw_handle()) {
                None => return Err(io::ErrorKind::WouldBlock.into()),
                // Somebody has written no bytes at all, which is no end.
                Some(Ok(0)) => self.begin_read(&mut reading),
                Some(Err(error)) if is_aborted(&error) => self.begin_read(&mut reading),
                Some(Ok(count)) => (reading.start, reading.end) = (0, count),
                Some(Err(error)) => self.end_reading(&mut reading, &error),
            }
        }
        let taken = taker(&reading.buffer[reading.start..reading.end]);
        reading.start += taken;
        if reading.start == reading.end {
            self.begin_read(&mut reading);
        }
        Ok(taken)
    }

    fn begin_read(&self, reading: &mut Reading) {
        let Reading { operation, buffer, start, end, .. } = reading;
        (*start, *end) = (0, 0);
        let handle = self.handle.as_raw_handle();
        let begun = operation.begin(&self.signals.readable, |state| {
            // SAFETY: buffer and state stay where they are until the operation has ended: nobody touches the buffer before, and
            // the drop cancels it.
            unsafe { ReadFile(handle, buffer.as_mut_ptr(), buffer.len() as u32, ptr::null_mut(), state) }
        });
        if let Err(error) = begun {
            self.end_reading(reading, &error);
        }
    }

    /// It stays readable, so that everybody who looks finds the end.
    fn end_reading(&self, reading: &mut Reading, error: &io::Error) {
        reading.over = Some(if is_end(error) { None } else { error.raw_os_error() });
        self.signals.readable.set();
    }

    pub(super) fn send_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut writing = self.writing.lock();
        self.go_on_writing(&mut writing)?;
        writing.buffer.clear();
        writing.written = 0;
        for part in parts {
            let room = BUFFER - writing.buffer.len();
            writing.buffer.extend_from_slice(&part[..part.len().min(room)]);
        }
        let count = writing.buffer.len();
        if count > 0 {
            self.begin_write(&mut writing)?;
        }
        Ok(count)
    }

    /// Whether there is room for another write: all of the last one is in the pipe.
    fn go_on_writing(&self, writing: &mut Writing) -> io::Result<()> {
        match writing.operation.ended(self.handle.as_raw_handle()) {
            None => return Err(io::ErrorKind::WouldBlock.into()),
            Some(Ok(count)) => writing.written += count,
            Some(Err(error)) => return Err(broken(error)),
        }
        if writing.written < writing.buffer.len() {
            self.begin_write(writing)?;
            return self.go_on_writing(writing);
        }
        Ok(())
    }

    fn begin_write(&self, writing: &mut Writing) -> io::Result<()> {
        let Writing { operation, buffer, written } = writing;
        let (handle, rest) = (self.handle.as_raw_handle(), &buffer[*written..]);
        let begun = operation.begin(&self.signals.writable, |state| {
            // SAFETY: as in `begin_read`: the buffer is not changed before the operation has ended.
            unsafe { WriteFile(handle, rest.as_ptr(), rest.len() as u32, ptr::null_mut(), state) }
        });
        begun.map_err(broken)
    }
}

fn broken(error: io::Error) -> io::Error {
    if is_end(&error) { io::Error::from_raw_os_error(ERROR_BROKEN_PIPE as i32) } else { error }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let handle = self.handle.as_raw_handle();
        self.reading.lock().operation.cancel(handle, &self.signals.readable);
        self.writing.lock().operation.cancel(handle, &self.signals.writable);
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
    connecting: Overlapped,
}

impl Drop for PipeListener {
    fn drop(&mut self) {
        for Instance { handle, connecting } in self.waiting.lock().iter_mut() {
            connecting.cancel(handle.as_raw_handle(), &self.signals.readable);
        }
    }
}

impl PipeListener {
    /// Fails with the error of an address in use where another process has the name.
    pub(crate) fn bind(name: &[u8], manner: Manner) -> io::Result<Self> {
        let listener = Self { name: system_name(name)?, manner, signals: Signals::new()?, waiting: Mutex::default() };
        let first = listener.instance(FILE_FLAG_FIRST_PIPE_INSTANCE).map_err(|error| {
            let taken = [ERROR_ACCESS_DENIED, ERROR_PIPE_BUSY].map(|code| Some(code as i32));
            if taken.contains(&error.raw_os_error()) { io::Error::from_raw_os_error(WSAEADDRINUSE) } else { error }
        })?;
        listener.waiting.lock().push(first);
        listener.wait_for_more(&mut listener.waiting.lock())?;
        Ok(listener)
    }

    pub(crate) fn source(&self) -> Source<'_> {
        Source::Signals(&self.signals)
    }

    /// Takes one peer that has dialled.
    pub(crate) fn accept(&self) -> io::Result<Stream> {
        let mut waiting = self.waiting.lock();
        let ended = (0..waiting.len()).find_map(|at| {
            let Instance { handle, connecting } = &mut waiting[at];
            Some((at, connecting.ended(handle.as_raw_handle())?))
        });
        let Some((at, connected)) = ended else {
            // Nobody, as far as the system has told: at the next look it shall tell anew.
            self.wait_for_more(&mut waiting)?;
            return Err(io::ErrorKind::WouldBlock.into());
        };
        let instance = waiting.swap_remove(at);
        // Another one that has connected keeps it readable.
        let more = self.wait_for_more(&mut waiting);
        if waiting.is_empty() {
            // Nobody could dial: who listens tries again when there is room.
            more?;
        }
        drop(waiting);
        connected?;
        Ok(Pipe::new(instance.handle)?.into())
    }

    /// Makes up the number of instances that wait, and says again whether somebody has dialled.
    fn wait_for_more(&self, waiting: &mut Vec<Instance>) -> io::Result<()> {
        let mut made = Ok(());
        while waiting.len() < WAITING && made.is_ok() {
            made = self.instance(0).map(|instance| waiting.push(instance));
        }
        self.signals.readable.reset();
        // Beginning to wait may have reset what another one had set.
        let somebody = waiting.iter().any(|instance| instance.connecting.has_ended());
        if somebody {
            self.signals.readable.set();
        }
        made
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
        outlive_threads(&handle)?;
        let mut instance = Instance { connecting: Overlapped::new(&self.signals.readable), handle };
        let raw: *mut c_void = instance.handle.as_raw_handle();
        // SAFETY: the state stays where it is until the operation has ended: the drop cancels it.
        let begun = instance.connecting.begin(&self.signals.readable, |state| unsafe { ConnectNamedPipe(raw, state) });
        match begun {
            // Somebody has dialled and gone before the call: who accepts finds a connection that has ended.
            Err(error) if !is_end(&error) => Err(error),
            _ => Ok(instance),
        }
    }
}
