use super::named::named;

named! {
    /// Where a key's material comes from (KMS API Reference, "`KeyMetadata`", `Origin`).
    #[derive(Default)]
    Origin {
        #[default]
        AwsKms = "AWS_KMS",
        External = "EXTERNAL",
        AwsCloudHsm = "AWS_CLOUDHSM",
        ExternalKeyStore = "EXTERNAL_KEY_STORE",
    }
}
