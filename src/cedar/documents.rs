use std::sync::Arc;

use sha2::Digest;

use super::{CompileError, CompiledDocument};
use crate::iam::DocumentKind;

/// The compile cache: equal documents of one kind share one compiled form.
#[derive(Debug)]
pub struct Documents {
    compiled: moka::sync::Cache<(DocumentKind, [u8; 32]), Arc<CompiledDocument>>,
    make: fn(DocumentKind, &str) -> Result<CompiledDocument, CompileError>,
}

impl Documents {
    /// Most memory that compiled documents may take by default, in bytes.
    pub const DEFAULT_MAX_BYTES: u64 = 256 << 20;

    /// A cache of about that many bytes.
    #[must_use]
    pub fn new(max_bytes: u64) -> Self {
        let compiled = moka::sync::Cache::builder()
            .max_capacity(max_bytes)
            .weigher(|_, document: &Arc<CompiledDocument>| document.weight())
            .build();
        Self { compiled, make: CompiledDocument::compile }
    }

    /// A cache of about that many bytes, of documents that Cedar does not validate
    /// ([`CompiledDocument::unvalidated`]).
    #[must_use]
    pub fn unvalidated(max_bytes: u64) -> Self {
        Self { make: CompiledDocument::unvalidated, ..Self::new(max_bytes) }
    }

    /// The compiled form of a document, made at most once at a time.
    ///
    /// # Errors
    /// Where the text is no valid document of that kind, with the place.
    pub fn compile(&self, kind: DocumentKind, text: &str) -> Result<Arc<CompiledDocument>, CompileError> {
        let hash = <[u8; 32]>::from(sha2::Sha256::digest(text.as_bytes()));
        self.compiled
            .try_get_with((kind, hash), || (self.make)(kind, text).map(Arc::new))
            .map_err(|error: Arc<CompileError>| (*error).clone())
    }

    /// The compiled form by the SHA-256 of the text, where the cache still has it.
    #[must_use]
    pub fn get(&self, kind: DocumentKind, hash: &[u8; 32]) -> Option<Arc<CompiledDocument>> {
        self.compiled.get(&(kind, *hash))
    }
}

impl Default for Documents {
    fn default() -> Self {
        Self::new(Self::DEFAULT_MAX_BYTES)
    }
}
