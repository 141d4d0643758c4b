//! The thread that listens, and what goes wrong on it when a test wants so.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::net::TcpListener as StdListener;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, SystemTime};

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, DATE, HeaderMap, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpResponse, S3Error, S3ErrorCode};
use s3s_fs::FileSystem;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc::UnboundedReceiver, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

use super::Fault;
use super::access::Access;
use super::store::Store;

/// What the owner of the thread asks for; answered when it is done.
pub(super) enum Command {
    Refuse(mpsc::Sender<()>),
    Listen(mpsc::Sender<()>),
}

/// What is to go wrong, and what was asked.
#[derive(Default)]
pub(super) struct Faults {
    /// The fault, and how often still: `None` is for ever.
    active: Mutex<Option<(Fault, Option<u32>)>>,
    requests: Mutex<Vec<String>>,
    /// What came in each of Amazon's own headers.
    headers: Mutex<BTreeMap<String, BTreeSet<String>>>,
}

impl Faults {
    pub(super) fn set(&self, fault: Fault, times: Option<u32>) {
        *lock(&self.active) = Some((fault, times));
    }

    pub(super) fn clear(&self) {
        *lock(&self.active) = None;
    }

    pub(super) fn requests(&self) -> Vec<String> {
        lock(&self.requests).clone()
    }

    pub(super) fn header(&self, name: &str) -> Vec<String> {
        lock(&self.headers).get(name).into_iter().flatten().cloned().collect()
    }

    fn note_headers(&self, headers: &HeaderMap) {
        let mut seen = lock(&self.headers);
        for (name, value) in headers.iter().filter(|(name, _)| name.as_str().starts_with("x-amz-")) {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            seen.entry(name.to_string()).or_default().insert(value);
        }
    }

    /// The fault that this request meets; it counts.
    fn meet(&self, upload: bool) -> Option<Fault> {
        let mut active = lock(&self.active);
        let (fault, times) = active.as_mut()?;
        if *fault == Fault::DropUploads && !upload {
            return None;
        }
        match times {
            None => {}
            Some(0) => return None,
            Some(times) => *times -= 1,
        }
        Some(*fault)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) struct Server {
    service: S3Service,
    faults: Arc<Faults>,
    tls: Option<TlsAcceptor>,
}

impl Server {
    pub(super) fn new(
        buckets: &Path,
        access: &Access,
        faults: &Arc<Faults>,
        certificate: Option<(String, String)>,
    ) -> Self {
        let files =
            FileSystem::new(buckets).unwrap_or_else(|error| panic!("cannot serve `{}`: {error:?}", buckets.display()));
        let mut builder = S3ServiceBuilder::new(Store(files));
        builder.set_auth(access.clone());
        builder.set_access(access.clone());
        let tls = certificate.map(|(certificate, key)| {
            acceptor(&certificate, &key).unwrap_or_else(|error| panic!("cannot speak TLS: {error}"))
        });
        Self { service: builder.build(), faults: Arc::clone(faults), tls }
    }

    /// Serves until nobody can send a command any more.
    pub(super) fn run(self, listener: StdListener, commands: UnboundedReceiver<Command>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap_or_else(|error| panic!("cannot start a runtime: {error}"));
        runtime.block_on(Arc::new(self).listen(listener, commands));
        // A file that is being read does not hold up the test.
        runtime.shutdown_background();
    }

    async fn listen(self: Arc<Self>, listener: StdListener, mut commands: UnboundedReceiver<Command>) {
        let listener = TcpListener::from_std(listener);
        let listener = listener.unwrap_or_else(|error| panic!("cannot listen: {error}"));
        let address = listener.local_addr().unwrap_or_else(|error| panic!("a listener has no address: {error}"));
        let mut listener = Some(listener);
        let (close, _) = watch::channel(());
        loop {
            let accept = async {
                match &listener {
                    Some(listener) => listener.accept().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Refuse(done)) => {
                        listener = None;
                        close.send_replace(());
                        let _ = done.send(());
                    }
                    Some(Command::Listen(done)) => {
                        if listener.is_none() {
                            let again = TcpListener::bind(address).await;
                            listener = Some(again.unwrap_or_else(|error| panic!("cannot listen again: {error}")));
                        }
                        let _ = done.send(());
                    }
                    None => return,
                },
                accepted = accept => {
                    let Ok((stream, _)) = accepted else { continue };
                    let server = Arc::clone(&self);
                    let mut closed = close.subscribe();
                    tokio::spawn(async move {
                        tokio::select! {
                            _ = closed.changed() => {}
                            () = server.connection(stream) => {}
                        }
                    });
                }
            }
        }
    }

    async fn connection(&self, stream: TcpStream) {
        if stream.set_nodelay(true).is_err() {
            return;
        }
        match &self.tls {
            None => self.http(stream).await,
            Some(tls) => {
                if let Ok(stream) = tls.accept(stream).await {
                    self.http(stream).await;
                }
            }
        }
    }

    async fn http(&self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let service = service_fn(|request| self.answer(request));
        // It fails when the client goes away, and when a fault breaks the connection.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    /// Answers a request, and notes it. An error breaks the connection.
    async fn answer(&self, request: Request<Incoming>) -> Result<HttpResponse, Box<dyn Error + Send + Sync>> {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let line = format!("{} {target}", request.method());
        self.faults.note_headers(request.headers());
        let result = self.answer_or_fail(request).await;
        let status = result.as_ref().map_or("---".to_owned(), |response| response.status().as_str().to_owned());
        lock(&self.faults.requests).push(format!("{status} {line}"));
        result
    }

    async fn answer_or_fail(&self, request: Request<Incoming>) -> Result<HttpResponse, Box<dyn Error + Send + Sync>> {
        let length = content_length(&request);
        let (parts, mut body) = request.into_parts();
        let fault = self.faults.meet(parts.method == Method::PUT && length > 0);
        if fault == Some(Fault::DropUploads) {
            let mut seen = 0;
            while seen < length / 2
                && let Some(frame) = body.frame().await
            {
                seen += frame?.data_ref().map_or(0, |data| data.len() as u64);
            }
            return Err("the connection breaks, as injected".into());
        }

        let body = Body::from(body.collect().await?.to_bytes());
        let request = Request::from_parts(parts, body);
        match fault {
            Some(Fault::Unavailable) => {
                error(S3ErrorCode::ServiceUnavailable, "the service is unavailable, as injected")
            }
            Some(Fault::ExpiredToken) => error(S3ErrorCode::ExpiredToken, "the provided token has expired"),
            Some(Fault::ClockAhead(by)) => {
                let mut response = if by > Duration::from_mins(15) {
                    error(
                        S3ErrorCode::RequestTimeTooSkewed,
                        "the difference between the request time and the current time is too large",
                    )?
                } else {
                    self.service.call(request).await?
                };
                let date = httpdate::fmt_http_date(SystemTime::now() + by);
                response.headers_mut().insert(DATE, HeaderValue::from_str(&date)?);
                Ok(response)
            }
            Some(Fault::Slow(by)) => {
                tokio::time::sleep(by).await;
                Ok(self.service.call(request).await?)
            }
            _ => Ok(self.service.call(request).await?),
        }
    }
}

fn content_length(request: &Request<Incoming>) -> u64 {
    let value = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    value.and_then(|value| value.parse().ok()).unwrap_or(0)
}

fn error(code: S3ErrorCode, message: &'static str) -> Result<HttpResponse, Box<dyn Error + Send + Sync>> {
    Ok(S3Error::with_message(code, message).to_http_response()?)
}

fn acceptor(certificate: &str, key: &str) -> Result<TlsAcceptor, Box<dyn Error>> {
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes())?];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())?;
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
