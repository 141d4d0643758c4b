//! A proxy before a server of this machine: it counts what goes through it, and can make the server seem far away.
//!
//! A round trip is an answer: the first bytes from the server after bytes from the client. That holds for every protocol
//! in which a client waits for the answer before it goes on, with TLS too.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// What a client of PostgreSQL begins a transaction with.
const BEGIN: &[u8] = b"BEGIN";

/// A proxy on a port of its own, until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

/// What went through a [`Proxy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// The connections that were made.
    pub connections: u64,
    /// The answers that a client waited for.
    pub round_trips: u64,
    /// The transactions that were begun in PostgreSQL, as far as a client that uses no TLS says so.
    pub transactions: u64,
}

#[derive(Debug, Default)]
struct Shared {
    is_closed: AtomicBool,
    delay: Mutex<Duration>,
    connections: AtomicU64,
    round_trips: AtomicU64,
    transactions: AtomicU64,
}

impl Proxy {
    /// Starts one before the server that listens on this port of 127.0.0.1.
    ///
    /// # Panics
    ///
    /// When the machine has no port left.
    #[must_use]
    pub fn before(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0));
        let listener = listener.unwrap_or_else(|error| panic!("no free port on 127.0.0.1: {error}"));
        let port = listener.local_addr().unwrap_or_else(|error| panic!("a port without a number: {error}")).port();
        let shared = Arc::new(Shared::default());
        let here = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if here.is_closed.load(Ordering::SeqCst) {
                    break;
                }
                here.connections.fetch_add(1, Ordering::SeqCst);
                // A server that is down is for the client to find out, by a connection that ends.
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                here.connect(client, server);
            }
        });
        Self { port, shared }
    }

    /// The port to connect to, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes every answer wait for so long from now on.
    pub fn delay(&self, delay: Duration) {
        *self.shared.delay.lock().unwrap_or_else(PoisonError::into_inner) = delay;
    }

    /// What went through since it was asked last.
    pub fn take(&self) -> Traffic {
        let take = |count: &AtomicU64| count.swap(0, Ordering::SeqCst);
        Traffic {
            connections: take(&self.shared.connections),
            round_trips: take(&self.shared.round_trips),
            transactions: take(&self.shared.transactions),
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_closed.store(true, Ordering::SeqCst);
        // What waits for a client gets a last one.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

impl Shared {
    /// Hands bytes on in both directions, until one side closes the connection.
    fn connect(self: &Arc<Self>, client: TcpStream, server: TcpStream) {
        let (Ok(client_too), Ok(server_too)) = (client.try_clone(), server.try_clone()) else { return };
        for stream in [&client, &server] {
            // Without it, small messages would wait for each other.
            drop(stream.set_nodelay(true));
        }
        let is_waiting = Arc::new(AtomicBool::new(false));
        let (questions, answers) = (Arc::clone(self), Arc::clone(self));
        let asked = Arc::clone(&is_waiting);
        thread::spawn(move || {
            let mut last: Vec<u8> = Vec::new();
            pump(client, server, |bytes| {
                // The word may come in two parts.
                last.extend_from_slice(bytes);
                let begun = last.windows(BEGIN.len()).filter(|window| *window == BEGIN).count();
                questions.transactions.fetch_add(begun as u64, Ordering::SeqCst);
                last.drain(..last.len().saturating_sub(BEGIN.len() - 1));
                asked.store(true, Ordering::SeqCst);
            });
        });
        thread::spawn(move || {
            pump(server_too, client_too, |_| {
                if is_waiting.swap(false, Ordering::SeqCst) {
                    answers.round_trips.fetch_add(1, Ordering::SeqCst);
                    thread::sleep(*answers.delay.lock().unwrap_or_else(PoisonError::into_inner));
                }
            });
        });
    }
}

/// Hands bytes on after a look at them; at their end, ends both streams.
fn pump(mut from: TcpStream, mut to: TcpStream, mut look: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let bytes = &buffer[..count];
        look(bytes);
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    for stream in [from, to] {
        drop(stream.shutdown(Shutdown::Both));
    }
}
