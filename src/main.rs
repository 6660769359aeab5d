//! The thin binary: everything lives in the library.

fn main() -> std::process::ExitCode {
    // Two TLS stacks meet in this process; the provider they share is settled before either is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    podoctor::cli::run()
}
