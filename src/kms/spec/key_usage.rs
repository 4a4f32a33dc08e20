use super::named::named;

named! {
    /// What a key is for (KMS API Reference, "`KeyMetadata`", `KeyUsage`).
    #[derive(Default)]
    KeyUsage {
        #[default]
        EncryptDecrypt = "ENCRYPT_DECRYPT",
        SignVerify = "SIGN_VERIFY",
        GenerateVerifyMac = "GENERATE_VERIFY_MAC",
        KeyAgreement = "KEY_AGREEMENT",
    }
}
