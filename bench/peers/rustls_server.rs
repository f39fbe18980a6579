// rustls behind one small HTTP answer, for handshake_vs_peers: rustls_server ADDRESS CERT KEY CA
use rustls::server::AllowAnyAuthenticatedClient;
use rustls::{Certificate, PrivateKey, RootCertStore, ServerConfig, ServerConnection};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
const THREADS: usize = 16; // Of this many connections at once, as the load has.

fn certificates(path: &str) -> Vec<Certificate> {
    let file = std::fs::read(path).expect("certificate file");
    let found = rustls_pemfile::certs(&mut &file[..]).expect("certificates");
    found.into_iter().map(Certificate).collect()
}

fn serve(mut tcp: TcpStream, config: &Arc<ServerConfig>) -> std::io::Result<()> {
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut tls = ServerConnection::new(config.clone()).expect("configuration");
    let mut stream = rustls::Stream::new(&mut tls, &mut tcp);
    let mut request = [0u8; 4096];
    let mut size = 0;
    while !request[..size].ends_with(b"\r\n\r\n") {
        let more = stream.read(&mut request[size..])?;
        if more == 0 {
            return Ok(());
        }
        size += more;
    }
    stream.conn.writer().write_all(ANSWER)?;
    stream.conn.send_close_notify();
    while stream.conn.wants_write() {
        stream.conn.write_tls(stream.sock)?;
    }
    Ok(())
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let key = std::fs::read(&arguments[3]).expect("key file");
    let keys = rustls_pemfile::pkcs8_private_keys(&mut &key[..]).expect("PKCS#8 key");
    let mut roots = RootCertStore::empty();
    for authority in certificates(&arguments[4]) {
        roots.add(&authority).expect("authority");
    }
    let mut config = ServerConfig::builder()
        .with_safe_default_cipher_suites()
        .with_safe_default_kx_groups()
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("versions")
        .with_client_cert_verifier(AllowAnyAuthenticatedClient::new(roots))
        .with_single_cert(certificates(&arguments[2]), PrivateKey(keys[0].clone()))
        .expect("certificate and key");
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {}); // No tickets.
    let config = Arc::new(config);
    let listener = Arc::new(TcpListener::bind(&arguments[1]).expect("address"));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (listener, config) = (listener.clone(), config.clone());
            std::thread::spawn(move || loop {
                if let Ok((tcp, _)) = listener.accept() {
                    let _ = serve(tcp, &config); // A client that fails is the client's matter.
                }
            })
        })
        .collect();
    for thread in threads {
        let _ = thread.join();
    }
}
