use aws_lc_rs::rand;
use zeroize::Zeroizing;

use super::change::Change;
use super::{ATTEMPTS, Kms};
use crate::kms::error::KmsError;
use crate::kms::rows;
use crate::seal::SealingKey;
use crate::store::CommitError;

impl Kms {
    /// The key that seals session tokens and the like, which are kept nowhere: made when it is asked
    /// for first, and the same ever after, whatever becomes of the root key.
    ///
    /// # Errors
    /// Internal failures.
    pub async fn sealing_key(&self) -> Result<SealingKey, KmsError> {
        for _ in 0..ATTEMPTS {
            if let Some(key) = self.unwrapped_at(rows::SEALING_KEY).await? {
                return SealingKey::of(&key).ok_or_else(|| KmsError::internal("the sealing key is not a key's length"));
            }
            let mut key = Zeroizing::new([0u8; 32]);
            rand::fill(&mut *key).map_err(|_| KmsError::internal("the system's random generator failed"))?;
            let mut change = Change::default().absent(rows::SEALING_KEY.to_vec());
            let now = self.clock_now().as_millisecond();
            self.put_wrapped(rows::SEALING_KEY.to_vec(), &*key, now, &mut change)?;
            match self.commit(change).await {
                // Read again, so that what is used is what is kept.
                Ok(()) | Err(CommitError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(KmsError::conflicting())
    }
}
