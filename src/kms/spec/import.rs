use super::named::named;

named! {
    /// `AlgorithmSpec`: how key material is wrapped on its way here. RSAES_PKCS1_V1_5, which AWS has
    /// given up, and SM2PKE of the China Regions are not among them.
    WrappingAlgorithm {
        RsaesOaepSha1 = "RSAES_OAEP_SHA_1",
        RsaesOaepSha256 = "RSAES_OAEP_SHA_256",
        RsaAesKeyWrapSha1 = "RSA_AES_KEY_WRAP_SHA_1",
        RsaAesKeyWrapSha256 = "RSA_AES_KEY_WRAP_SHA_256",
    }
}

named! {
    /// `ExpirationModelType`.
    #[derive(Default)]
    ExpirationModel {
        #[default]
        Expires = "KEY_MATERIAL_EXPIRES",
        DoesNotExpire = "KEY_MATERIAL_DOES_NOT_EXPIRE",
    }
}

named! {
    /// Whether the material that is imported was imported into the key before.
    ImportType {
        New = "NEW_KEY_MATERIAL",
        Existing = "EXISTING_KEY_MATERIAL",
    }
}
