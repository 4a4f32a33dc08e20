use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use zeroize::Zeroizing;

/// Where a store is and how it is reached.
#[derive(Clone)]
pub struct PostgresSettings {
    /// Hosts that may be the primary, in the order in which they are tried: a name, an address or the
    /// directory of a Unix socket, each with its port.
    pub hosts: Vec<(String, u16)>,
    /// The database.
    pub database: String,
    /// The role.
    pub user: String,
    /// Its password, where it needs one.
    pub password: Option<Zeroizing<String>>,
    /// How the server is known.
    pub tls: PostgresTls,
    /// How old the proof may be that nothing acknowledged elsewhere is missing here.
    pub max_staleness: Duration,
    /// Connections for reading. One more commits, and one more follows the others' commits.
    pub connections: usize,
}

/// How connections are protected.
#[derive(Clone)]
pub enum PostgresTls {
    /// In the clear: on this machine only.
    Off,
    /// The server's certificate must be good for the host's name.
    VerifyFull(Arc<ClientConfig>),
}

impl fmt::Debug for PostgresSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSettings")
            .field("hosts", &self.hosts)
            .field("database", &self.database)
            .field("user", &self.user)
            .field("max_staleness", &self.max_staleness)
            .finish_non_exhaustive()
    }
}
