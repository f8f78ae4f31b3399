//! A bind or a connect, with its id.
#![forbid(unsafe_code)]

use std::sync::atomic::Ordering;

use super::Command;
use super::Socket;
use super::core::{Happening, Kind, Subject};
use super::io::Beginning;
use crate::error::Result;
use crate::sys;
use crate::transport::address::{split_scheme, with_chosen_port};
#[cfg(all(unix, not(simulated)))]
use crate::transport::adopted::{self, Adoption};
use crate::transport::backoff::Backoff;
use crate::transport::inproc::{EndpointRef, Post};
use crate::transport::{Scheme, by_scheme};
#[cfg(all(unix, not(simulated)))]
use crate::transport::{Settings, Side};

impl Socket {
    /// Binds an address of the form `scheme://…` and returns the endpoint's id.
    pub(crate) fn bind(&self, address: &[u8]) -> Result<i32> {
        let _whole = sys::CancelGuard::new();
        let bound = self.try_bind(address);
        if let Err(error) = bound {
            self.with(|state| {
                state.stats.bind_errors += 1;
                let subject = Subject { id: None, address: address.to_vec(), binds: true };
                state.write_down(Some(subject), None, Happening::BindFailed(sys::number_of(error)));
            });
        }
        bound
    }

    fn try_bind(&self, address: &[u8]) -> Result<i32> {
        let (settings, tls) = self.enter()?.finish(|state| (state.options.settings(), state.options.tls.clone()));
        let (scheme, rest) = split_scheme(address)?;
        match by_scheme(scheme, &tls)? {
            Scheme::Inproc => self.add_neighbour(scheme, rest, Kind::InprocBind),
            Scheme::Stream(transport) => {
                let listener = transport.bind(rest, settings)?;
                let bound = with_chosen_port(rest, listener.port());
                self.add_network(scheme, &bound, true, || Ok(Beginning::Listen(listener)))
            }
            #[cfg(all(unix, not(simulated)))]
            Scheme::Descriptor => self.adopt(scheme, rest, Side::Accepts, settings),
        }
    }

    /// Starts to connect to an address of the form `scheme://…` and returns the endpoint's id. The connection is made,
    /// and made again after every loss, in the background.
    pub(crate) fn connect(&self, address: &[u8]) -> Result<i32> {
        let _whole = sys::CancelGuard::new();
        let (settings, tls, backoff) = self.enter()?.finish(|state| {
            let millis = |value: i32| std::time::Duration::from_millis(value as u64);
            let backoff = Backoff::new(millis(state.options.reconnect), millis(state.options.reconnect_max));
            (state.options.settings(), state.options.tls.clone(), backoff)
        });
        let (scheme, rest) = split_scheme(address)?;
        match by_scheme(scheme, &tls)? {
            Scheme::Inproc => self.add_neighbour(scheme, rest, Kind::InprocConnect),
            Scheme::Stream(transport) => {
                let dialer = transport.connect(rest, settings)?;
                self.add_network(scheme, rest, false, || Ok(Beginning::Dial(dialer, backoff)))
            }
            #[cfg(all(unix, not(simulated)))]
            Scheme::Descriptor => self.adopt(scheme, rest, Side::Dials, settings),
        }
    }

    /// A descriptor of the program's becomes an endpoint, or stays what it is and the program's.
    #[cfg(all(unix, not(simulated)))]
    fn adopt(&self, scheme: &[u8], name: &[u8], side: Side, settings: Settings) -> Result<i32> {
        let found = adopted::find(name, side, &self.library.adopted)?;
        self.add_network(scheme, name, side == Side::Accepts, || {
            Ok(match found.adopt(settings)? {
                Adoption::Listener(listener) => Beginning::Listen(listener),
                Adoption::Connection(stream, greeting) => Beginning::Have(stream, greeting, side),
            })
        })
    }

    /// `begin` is the last thing that can fail: what it takes is not given back.
    fn add_network(
        &self,
        scheme: &[u8],
        address: &[u8],
        binds: bool,
        begin: impl FnOnce() -> Result<Beginning>,
    ) -> Result<i32> {
        self.ensure_reactor()?;
        self.enter()?.finish(|state| {
            let beginning = begin()?;
            let id = state.add_endpoint(scheme, address, Kind::Network, binds);
            state.network += 1;
            // Callers that slept on their own have something to drive now.
            state.waiters.wake_all(&mut state.pipes.effects().wakes);
            state.commands.push(Command::Begin(id, beginning));
            Ok(id)
        })
    }

    fn add_neighbour(&self, scheme: &[u8], name: &[u8], kind: Kind) -> Result<i32> {
        self.gets_mail.store(true, Ordering::SeqCst);
        self.enter()?.finish(|state| {
            let id = state.last_endpoint + 1;
            let names = &self.library.names;
            let party = EndpointRef { forwards: state.pattern.offers_forwarding(), ..state.own.party(id) };
            let posts: Vec<Post> = match kind {
                Kind::InprocBind => names.bind(name, party)?,
                _ => names.connect(name, party),
            };
            state.add_endpoint(scheme, name, kind, kind == Kind::InprocBind);
            if kind == Kind::InprocConnect {
                state.stats.inprogress_connections += 1;
            }
            state.pipes.post_all(posts);
            Ok(id)
        })
    }

    /// Removes an endpoint. What its pipes have accepted is still written, in the background, for as long as NN_LINGER
    /// allows.
    pub(crate) fn shutdown(&self, id: i32) -> Result<()> {
        let _whole = sys::CancelGuard::new();
        self.enter()?.finish(|state| state.remove_endpoint(sys::now(), id))
    }
}
