//! A certificate authority of one's own: for a server's certificate, and to be the wrong one.

use std::fs;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

/// An authority that signs certificates for `127.0.0.1` and `localhost`, and that nobody trusts unasked.
#[derive(Debug)]
pub struct CertificateAuthority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl CertificateAuthority {
    /// Makes a new one, with a new key.
    ///
    /// # Panics
    ///
    /// When the system gives no random numbers.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "each is another one")]
    pub fn new() -> Self {
        let issuer = (|| {
            let mut params = CertificateParams::new(Vec::new())?;
            params.distinguished_name.push(DnType::CommonName, "metaxy-testkit CA");
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            CertifiedIssuer::self_signed(params, KeyPair::generate()?)
        })()
        .unwrap_or_else(|error| panic!("cannot make a certificate authority: {error}"));
        Self { issuer }
    }

    /// Writes the authority's certificate, in PEM: what a client needs to trust it.
    ///
    /// # Panics
    ///
    /// When the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) {
        let path = path.as_ref();
        fs::write(path, self.issuer.pem()).unwrap_or_else(|error| panic!("cannot write `{}`: {error}", path.display()));
    }

    /// A certificate for `127.0.0.1` and `localhost`, and its key, in PEM.
    pub(crate) fn issue(&self) -> (String, String) {
        (|| {
            let mut params = CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()])?;
            params.distinguished_name.push(DnType::CommonName, "localhost");
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            params.use_authority_key_identifier_extension = true;
            let key = KeyPair::generate()?;
            let certificate = params.signed_by(&key, &self.issuer)?;
            Ok((certificate.pem(), key.serialize_pem()))
        })()
        .unwrap_or_else(|error: rcgen::Error| panic!("cannot make a certificate: {error}"))
    }
}
