//! What a socket has counted, its endpoints and its connections, as one JSON document (docs/monitoring.schema.json).
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use serde::Serialize;

use super::event::Endpoint;
use crate::error::{Error, Result};
use crate::peer::{Peer, type_name};
use crate::socket::core::{PipeEnd, Stats, Subject, Traffic};
use crate::socket::{Socket, State, Value};
use crate::sys;
use crate::transport::channel::Channel;
use crate::transport::tls;

#[derive(Serialize)]
struct Document<'a> {
    socket: String,
    #[serde(rename = "type")]
    protocol: &'static str,
    raw: bool,
    time_ns: u64,
    monotonic_ns: u64,
    counters: Counters,
    endpoints: Vec<Known<'a>>,
    connections: Vec<Connection<'a>>,
}

#[derive(Serialize)]
struct Counters {
    #[serde(flatten)]
    stats: Stats,
    messages_filtered: u64,
    messages_overflowed: u64,
    messages_conflated: u64,
}

#[derive(Serialize)]
struct Known<'a> {
    #[serde(flatten)]
    endpoint: Endpoint<'a>,
    connections: u64,
    connected: u64,
    failed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    errno: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct Connection<'a> {
    endpoint: i32,
    peer: &'a Peer,
    #[serde(flatten)]
    traffic: Traffic,
    send_queue_bytes: usize,
    recv_queue_bytes: usize,
    #[serde(flatten)]
    shared: Option<Shared>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rtt_us: Option<u32>,
}

/// What has gone by reference, and what of that the peer still has.
#[derive(Clone, Copy, Serialize)]
struct Shared {
    messages_sent_by_reference: u64,
    blocks_lent: usize,
    bytes_lent: usize,
}

/// Of an endpoint, as it was under the lock.
struct EndpointFacts {
    subject: Subject,
    connected: u64,
    failed: u64,
    errno: Option<i32>,
}

/// Of a connection.
struct PipeFacts {
    endpoint: i32,
    peer: Arc<Peer>,
    traffic: Traffic,
    unwritten: usize,
    unread: usize,
    shared: Option<Shared>,
    channel: Option<Arc<Channel>>,
}

fn endpoints(state: &State) -> Vec<EndpointFacts> {
    let facts = |(&id, endpoint): (&i32, &crate::socket::core::Endpoint)| EndpointFacts {
        subject: Subject::of(id, endpoint),
        connected: endpoint.connected,
        failed: endpoint.failed,
        errno: endpoint.last_error,
    };
    state.endpoints.iter().map(facts).collect()
}

fn pipes(state: &mut State) -> Result<Vec<PipeFacts>> {
    let mut found = list(state.pipes.slots.len(), std::iter::empty())?;
    for (_, pipe) in state.pipes.slots.iter_mut().filter(|(_, pipe)| pipe.confirmed) {
        let (traffic, unwritten, unread, channel) = match &mut pipe.end {
            PipeEnd::Stream(end) => {
                (end.traffic, end.outbox.bytes(), end.inbox.weight(), Some(Arc::clone(&end.channel)))
            }
            PipeEnd::Inproc { link, side, taken } => {
                let [messages_sent, bytes_sent, messages_received, bytes_received] =
                    link.traffic(*side).map(|count| count as u64);
                let traffic = Traffic { messages_sent, bytes_sent, messages_received, bytes_received };
                (traffic, link.unread_by_peer(*side), link.unread(*side) + taken.weight(), None)
            }
            // The peer has gone: there is no connection any more.
            PipeEnd::Orphaned(_) => continue,
        };
        let shared = match &mut pipe.end {
            PipeEnd::Stream(end) => end.lending.as_mut().map(|lending| {
                let (blocks_lent, bytes_lent) = lending.lent();
                Shared { messages_sent_by_reference: lending.messages(), blocks_lent, bytes_lent }
            }),
            PipeEnd::Inproc { .. } | PipeEnd::Orphaned(_) => None,
        };
        let (endpoint, peer) = (pipe.endpoint, Arc::clone(&pipe.peer));
        found.push(PipeFacts { endpoint, peer, traffic, unwritten, unread, shared, channel });
    }
    Ok(found)
}

/// A text that grows as long as there is memory: the document may be a large one.
struct Text(Vec<u8>);

impl io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_reserve(bytes.len()).map_err(|_| io::ErrorKind::OutOfMemory)?;
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A list of so many, if there is memory for it.
fn list<T>(count: usize, items: impl Iterator<Item = T>) -> Result<Vec<T>> {
    let mut list = Vec::new();
    list.try_reserve_exact(count).map_err(|_| Error::NoMemory)?;
    list.extend(items);
    Ok(list)
}

impl Socket {
    pub(in crate::socket) fn statistics(&self) -> Result<Value> {
        let (socket, counters, endpoints, pipes) = self.enter()?.finish(|state| {
            let counters = Counters {
                stats: state.stats,
                messages_filtered: state.pattern.filtered(),
                messages_overflowed: state.pattern.overflowed(),
                messages_conflated: state.pattern.conflated(),
            };
            let pipes = pipes(state);
            pipes.map(|pipes| (state.options.name.clone(), counters, endpoints(state), pipes))
        })?;
        let mut present = BTreeMap::<i32, u64>::new();
        for pipe in &pipes {
            *present.entry(pipe.endpoint).or_default() += 1;
        }
        let known = |facts| known(facts, &present);
        let (time_ns, monotonic_ns) = sys::timestamps();
        let document = Document {
            socket: String::from_utf8_lossy(&socket).into_owned(),
            protocol: type_name(self.protocol),
            raw: self.raw,
            time_ns,
            monotonic_ns,
            counters,
            endpoints: endpoints.iter().map(known).collect(),
            connections: list(pipes.len(), pipes.iter().map(connection))?,
        };
        let mut text = Text(Vec::new());
        serde_json::to_writer(&mut text, &document).map_err(|_| Error::NoMemory)?;
        Ok(Value::Text(text.0))
    }
}

fn known<'a>(facts: &'a EndpointFacts, present: &BTreeMap<i32, u64>) -> Known<'a> {
    Known {
        endpoint: (&facts.subject).into(),
        connections: facts.subject.id.and_then(|id| present.get(&id)).copied().unwrap_or_default(),
        connected: facts.connected,
        failed: facts.failed,
        errno: facts.errno,
        error: facts.errno.map(tls::text_of),
    }
}

fn connection(facts: &PipeFacts) -> Connection<'_> {
    Connection {
        endpoint: facts.endpoint,
        peer: &facts.peer,
        traffic: facts.traffic,
        send_queue_bytes: facts.unwritten,
        recv_queue_bytes: facts.unread,
        shared: facts.shared,
        rtt_us: match &facts.channel {
            Some(channel) => sys::round_trip_time(channel.stream()),
            None => None,
        },
    }
}
