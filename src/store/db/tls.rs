//! How PostgreSQL is reached: its address, and TLS as `sslmode` in the address asks for it (PostgreSQL's own words:
//! <https://www.postgresql.org/docs/current/libpq-ssl.html>).

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{DbError, WAITING};

/// Where PostgreSQL is, and how to speak to it.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) config: Config,
    /// None if nothing is to be encrypted.
    pub(super) tls: Option<MakeRustlsConnect>,
}

/// What the address says of certificates: PEM, or where it is.
#[derive(Default)]
struct Papers {
    roots: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
}

impl Target {
    /// From the driver's own reading of the address, of `PGHOST` and its sisters and of the password file, so that both
    /// reach the same place as the same user.
    ///
    /// # Errors
    /// [`DbError::Address`] with what is wrong.
    pub(super) fn of(options: &PgConnectOptions) -> Result<Self, DbError> {
        let url = options.to_url_lossy();
        let mut config = Config::new();
        match options.get_socket() {
            Some(path) => config.host_path(path),
            None => config.host(options.get_host()),
        };
        config.port(options.get_port()).user(options.get_username()).connect_timeout(WAITING);
        config.application_name(options.get_application_name().unwrap_or("lifeops"));
        if let Some(database) = options.get_database() {
            config.dbname(database);
        }
        if let Some(password) = url.password() {
            config.password(percent_encoding::percent_decode_str(password).collect::<Vec<u8>>());
        }
        if let Some(more) = options.get_options() {
            config.options(more);
        }
        let mode = options.get_ssl_mode();
        let encrypts = options.get_socket().is_none() && !matches!(mode, PgSslMode::Disable | PgSslMode::Allow);
        config.ssl_mode(match mode {
            _ if !encrypts => SslMode::Disable,
            PgSslMode::Prefer => SslMode::Prefer,
            _ => SslMode::Require,
        });
        let mut papers = Papers::default();
        for (name, value) in url.query_pairs() {
            match &*name {
                "sslrootcert" => papers.roots = Some(value.into_owned()),
                "sslcert" => papers.certificate = Some(value.into_owned()),
                "sslkey" => papers.key = Some(value.into_owned()),
                _ => {}
            }
        }
        let tls = if encrypts { Some(MakeRustlsConnect::new(client(mode, &papers)?)) } else { None };
        Ok(Self { config, tls })
    }
}

fn client(mode: PgSslMode, papers: &Papers) -> Result<ClientConfig, DbError> {
    let provider = Arc::new(ring::default_provider());
    let wrong = |what: &str, error: &dyn std::fmt::Display| DbError::Address(format!("{what}: {error}"));
    let begun = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong("TLS", &e))?;
    let verifier: Arc<dyn ServerCertVerifier> = match mode {
        PgSslMode::VerifyCa | PgSslMode::VerifyFull => {
            let roots = Arc::new(roots(papers)?);
            let whole = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
            let whole = whole.map_err(|e| wrong("the root certificates", &e))?;
            match mode {
                PgSslMode::VerifyFull => whole,
                _ => Arc::new(Lenient { signed_by: Some(whole), provider }),
            }
        }
        _ => Arc::new(Lenient { signed_by: None, provider }),
    };
    let begun = begun.dangerous().with_custom_certificate_verifier(verifier);
    match (&papers.certificate, &papers.key) {
        (Some(certificate), Some(key)) => {
            let pem = read(certificate).map_err(|e| wrong("sslcert", &e))?;
            let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
            let chain = chain.map_err(|e| wrong("sslcert", &e))?;
            let pem = read(key).map_err(|e| wrong("sslkey", &e))?;
            let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|e| wrong("sslkey", &e))?;
            begun.with_client_auth_cert(chain, key).map_err(|e| wrong("sslcert", &e))
        }
        _ => Ok(begun.with_no_client_auth()),
    }
}

/// The certificates of `sslrootcert`, or those that this machine trusts.
fn roots(papers: &Papers) -> Result<RootCertStore, DbError> {
    let mut store = RootCertStore::empty();
    let wrong = |error: &dyn std::fmt::Display| DbError::Address(format!("sslrootcert: {error}"));
    match &papers.roots {
        Some(said) => {
            for certificate in CertificateDer::pem_slice_iter(&read(said).map_err(|e| wrong(&e))?) {
                store.add(certificate.map_err(|e| wrong(&e))?).map_err(|e| wrong(&e))?;
            }
        }
        None => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    Ok(store)
}

/// The driver tells a file as `file: PATH`, and PEM as it is.
fn read(said: &str) -> std::io::Result<Vec<u8>> {
    match said.strip_prefix("file: ") {
        Some(path) => std::fs::read(path),
        None => Ok(said.as_bytes().to_vec()),
    }
}

/// `prefer` and `require` encrypt and trust whoever answers; `verify-ca` asks who signed, not for which name.
#[derive(Debug)]
struct Lenient {
    signed_by: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(signed_by) = &self.signed_by else { return Ok(ServerCertVerified::assertion()) };
        match signed_by.verify_server_cert(certificate, between, name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
