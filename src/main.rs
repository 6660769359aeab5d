//! The thin binary: everything lives in the library.

/// Gives memory back that a diagnosis or a scan needed for a moment, as `.cargo/config.toml` tells it to when it is built;
/// the C library's allocator keeps it, which makes twice the memory of a bot that mostly waits.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    // Two TLS stacks meet in this process; the provider they share is settled before either is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    podoctor::cli::run()
}
