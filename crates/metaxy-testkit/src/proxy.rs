//! A proxy before a server of this machine: it counts what goes through it, can make the server seem far away, and cuts
//! connections to PostgreSQL around a commit.
//!
//! A round trip is an answer: the first bytes from the server after bytes from the client. That holds for every protocol
//! in which a client waits for the answer before it goes on, with TLS too.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// What a client of PostgreSQL begins a transaction with.
const BEGIN: &[u8] = b"BEGIN";

/// What DuckLake writes a snapshot with.
const SNAPSHOT: &[u8] = b"ducklake_snapshot VALUES";

/// The message of PostgreSQL's protocol that commits: a kind, a length, a text.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// Where the connection is cut of a client that writes a snapshot of a lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cut {
    /// Before the server gets the statement that writes the snapshot.
    BeforeSnapshot,
    /// When the server has got so many bytes of the message that commits, but not all of it.
    InCommit(usize),
    /// At once when the server has got that message.
    AfterCommit,
    /// When the client has got so many bytes of the answer, but not all of it.
    InAnswer(usize),
}

impl Cut {
    /// Every cut there is: around the messages, and behind each byte of them.
    pub fn all() -> impl Iterator<Item = Self> {
        // The answer is two messages: the end of the command, and that the server is ready.
        let answer = COMMIT.len() + 6;
        [Self::BeforeSnapshot, Self::AfterCommit]
            .into_iter()
            .chain((0..COMMIT.len()).map(Self::InCommit))
            .chain((0..answer).map(Self::InAnswer))
    }
}

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
    /// Where the next connection is to be cut.
    cut: Mutex<Option<Cut>>,
    is_away: AtomicBool,
    is_away_after_cut: AtomicBool,
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
                if here.is_away.load(Ordering::SeqCst) {
                    continue;
                }
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

    /// Cuts one connection, the next that a client writes a snapshot of a lake on.
    pub fn cut(&self, cut: Cut) {
        *self.shared.cut() = Some(cut);
    }

    /// The same, and takes no further connection until [`come_back`](Self::come_back).
    pub fn cut_and_go_away(&self, cut: Cut) {
        self.shared.is_away_after_cut.store(true, Ordering::SeqCst);
        self.cut(cut);
    }

    /// Takes connections again.
    pub fn come_back(&self) {
        self.shared.is_away_after_cut.store(false, Ordering::SeqCst);
        self.shared.is_away.store(false, Ordering::SeqCst);
    }

    /// Whether a cut is still to come.
    #[must_use]
    pub fn is_to_cut(&self) -> bool {
        self.shared.cut().is_some()
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
        // How many bytes of the next answer pass before the connection is cut.
        let answer = Arc::new(Mutex::new(None));
        let of_answer = Arc::clone(&answer);
        thread::spawn(move || {
            let mut last: Vec<u8> = Vec::new();
            let mut writes = false;
            pump(client, server, |bytes| {
                // The word may come in two parts.
                last.extend_from_slice(bytes);
                let begun = last.windows(BEGIN.len()).filter(|window| *window == BEGIN).count();
                questions.transactions.fetch_add(begun as u64, Ordering::SeqCst);
                last.drain(..last.len().saturating_sub(BEGIN.len() - 1));
                asked.store(true, Ordering::SeqCst);
                let snapshot = find(bytes, SNAPSHOT);
                writes |= snapshot.is_some();
                let mut cut = questions.cut();
                let passed = match *cut {
                    Some(Cut::BeforeSnapshot) => snapshot.map(|_| Passed::End(0)),
                    Some(of_commit) if writes => find(bytes, COMMIT).map(|at| match of_commit {
                        Cut::InCommit(count) => Passed::End(at + count),
                        Cut::InAnswer(count) => {
                            *of_answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(count);
                            Passed::All
                        }
                        _ => Passed::End(at + COMMIT.len()),
                    }),
                    _ => None,
                };
                // Its next transaction may only read.
                writes &= find(bytes, COMMIT).is_none();
                if passed.is_some() {
                    *cut = None;
                    questions.is_away.store(questions.is_away_after_cut.load(Ordering::SeqCst), Ordering::SeqCst);
                }
                passed.unwrap_or(Passed::All)
            });
        });
        thread::spawn(move || {
            pump(server_too, client_too, |_| {
                if is_waiting.swap(false, Ordering::SeqCst) {
                    answers.round_trips.fetch_add(1, Ordering::SeqCst);
                    thread::sleep(*answers.delay.lock().unwrap_or_else(PoisonError::into_inner));
                }
                answer.lock().unwrap_or_else(PoisonError::into_inner).map_or(Passed::All, Passed::End)
            });
        });
    }

    fn cut(&self) -> MutexGuard<'_, Option<Cut>> {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

/// How much of what came is handed on.
enum Passed {
    All,
    /// So many bytes, with which the connection ends.
    End(usize),
}

/// Hands bytes on after a look at them; at their end, ends both streams.
fn pump(mut from: TcpStream, mut to: TcpStream, mut look: impl FnMut(&[u8]) -> Passed) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let (bytes, is_end) = match look(&buffer[..count]) {
            Passed::All => (&buffer[..count], false),
            Passed::End(most) => (&buffer[..most.min(count)], true),
        };
        if to.write_all(bytes).is_err() || is_end {
            break;
        }
    }
    for stream in [from, to] {
        drop(stream.shutdown(Shutdown::Both));
    }
}
