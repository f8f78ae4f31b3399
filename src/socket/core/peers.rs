//! What other sockets of the process say (inproc).
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Instant;

use super::endpoints::Endpoint;
use super::pipes::PipeEnd;
use super::{Outside, State};
use crate::pattern;
use crate::peer::Peer;
use crate::pipe::{Inbox, PipeId};
use crate::transport::inproc::{Link, Note, Side};
use crate::transport::session::Cause;

/// How a side has taken a link.
enum Attached {
    As(PipeId),
    /// It has, but the other side has left.
    Left(PipeId),
    Refused,
}

impl<O: Outside> State<O> {
    pub(in crate::socket) fn take_note(&mut self, now: Instant, note: Note) {
        match note {
            Note::Offer { link, waited } => self.take_offer(now, link, waited),
            Note::Accepted { link } => self.take_accepted(now, link),
            Note::Ready(pipe) | Note::Writable(pipe) => {
                let link = self.pipes.get(pipe).and_then(|pipe| match &pipe.end {
                    PipeEnd::Inproc { link, side, .. } => Some((Arc::clone(link), *side)),
                    PipeEnd::Stream(_) | PipeEnd::Orphaned(_) => None,
                });
                if link.is_some_and(|(link, side)| link.is_writable(side)) {
                    self.pipe_writable(now, pipe);
                }
            }
            Note::Readable(pipe) => self.pipe_readable(now, pipe),
            Note::Gone(pipe) => self.end_pipe(now, pipe, Cause::Closed),
        }
    }

    fn attach(&mut self, link: &Arc<Link>, side: Side) -> Attached {
        let end = PipeEnd::Inproc { link: Arc::clone(link), side, taken: Inbox::default() };
        let peer = Peer {
            pipe: self.number_connection(),
            protocol: Some(pattern::peer_of(self.own.protocol)),
            ..Peer::default()
        };
        let Some(id) = self.add_pipe(link.endpoint(side), end, Arc::new(peer), link.forwards()) else {
            return Attached::Refused;
        };
        if link.attach(side, id, self.options.recv_buffer() as usize) { Attached::As(id) } else { Attached::Left(id) }
    }

    /// We have the name; a connector wants to be joined. Our pipe takes messages once it has confirmed.
    fn take_offer(&mut self, now: Instant, link: Arc<Link>, waited: bool) {
        match self.attach(&link, Side::Binder) {
            Attached::As(id) => {
                self.stats.accepted_connections += u64::from(waited);
                match link.to_peer(Side::Binder, Note::Accepted { link: Arc::clone(&link) }) {
                    Some(answer) => self.pipes.post(Some(answer)),
                    // The connector's socket is no more.
                    None => self.remove_pipe(now, id),
                }
            }
            Attached::Left(id) => self.remove_pipe(now, id),
            Attached::Refused => {
                let binder = self.endpoints.get(&link.endpoint(Side::Binder));
                if let Some(name) = binder.and_then(Endpoint::inproc_name) {
                    self.own.names.refuse(name, &link);
                }
            }
        }
    }

    fn take_accepted(&mut self, now: Instant, link: Arc<Link>) {
        let endpoint = link.endpoint(Side::Connector);
        let id = match self.attach(&link, Side::Connector) {
            Attached::As(id) => id,
            // The binder has left meanwhile: on to the next one.
            Attached::Left(id) => return self.remove_pipe(now, id),
            Attached::Refused => {
                link.close(Side::Connector);
                self.pipes.post(link.about_peer(Side::Connector, Note::Gone));
                if let Some(name) = self.endpoints.get(&endpoint).and_then(Endpoint::connects_to) {
                    self.own.names.decline(name, &self.own.party(endpoint));
                }
                return;
            }
        };
        self.stats.established_connections += 1;
        if let Some(endpoint) = self.endpoints.get_mut(&endpoint)
            && !std::mem::replace(&mut endpoint.linked, true)
        {
            self.stats.inprogress_connections -= 1;
        }
        self.pipes.post(link.about_peer(Side::Connector, Note::Ready));
        self.pipe_writable(now, id);
    }

    /// A connector of ours has lost its link: it waits for the next chance, which may be there already.
    pub(in crate::socket) fn unlink(&mut self, endpoint: i32) {
        let Some(known) = self.endpoints.get_mut(&endpoint) else { return };
        if std::mem::take(&mut known.linked) {
            self.stats.inprogress_connections += 1;
        }
        let Some(name) = known.connects_to() else { return };
        let posts = self.own.names.unlink(name, &self.own.party(endpoint));
        self.pipes.post_all(posts);
    }

    /// There is one pipe less: connectors that were refused, ours and those of our names, may try again. If the pipe never
    /// was confirmed, nothing has changed for our own connectors: one of them may just have declined it.
    pub(in crate::socket) fn retry_neighbours(&mut self, confirmed: bool) {
        if self.is_closing() {
            return;
        }
        let names = &self.own.names;
        for (&id, endpoint) in &self.endpoints {
            if let Some(name) = endpoint.inproc_name() {
                let posts = if confirmed { names.retry(name, &self.own.party(id)) } else { names.offer(name) };
                self.pipes.post_all(posts);
            }
        }
    }
}
