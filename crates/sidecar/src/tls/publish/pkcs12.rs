//! A PKCS #12 store of trusted certificates (RFC 7292), encrypted with PBES2 (RFC 8018). Each carries the attribute by which
//! Java knows a certificate to be trusted; without it Java finds none.

use std::num::NonZeroU32;

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use outrigger_contract::trust_files::TRUSTSTORE_PASSWORD;
use ring::{digest, hmac, pbkdf2};

use crate::tls::der::{BMP_STRING, INTEGER, NULL, OBJECT_ID, OCTET_STRING, SEQUENCE, SET, context, element};

/// Few rounds: the password is public, so they would protect nothing and cost time at start.
const ROUNDS: NonZeroU32 = NonZeroU32::new(1024).unwrap();

mod id {
    pub(super) const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
    pub(super) const ENCRYPTED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x06];
    pub(super) const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
    pub(super) const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c];
    pub(super) const HMAC_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x09];
    pub(super) const AES256_CBC: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a];
    pub(super) const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
    pub(super) const CERTIFICATE_BAG: &[u8] =
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01, 0x03];
    pub(super) const X509: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x16, 0x01];
    pub(super) const FRIENDLY_NAME: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x14];
    /// 2.16.840.1.113894.746875.1.1, Oracle's.
    pub(super) const TRUSTED_KEY_USAGE: &[u8] =
        &[0x60, 0x86, 0x48, 0x01, 0x86, 0xf9, 0x66, 0xad, 0xca, 0x7b, 0x01, 0x01];
    pub(super) const ANY_USAGE: &[u8] = &[0x55, 0x1d, 0x25, 0x00];
}

/// The store, from aliases and certificates.
///
/// # Errors
/// The system has no randomness.
pub(super) fn store(entries: &[(String, &[u8])]) -> std::io::Result<Vec<u8>> {
    let mut random = [0; 64];
    getrandom::fill(&mut random).map_err(std::io::Error::other)?;
    let (salt, rest) = random.split_at(16);
    let (vector, rest) = rest.split_at(16);
    let mac_salt = &rest[..16];

    let bags: Vec<Vec<u8>> = entries.iter().map(|(alias, certificate)| bag(alias, certificate)).collect();
    let bags: Vec<&[u8]> = bags.iter().map(Vec::as_slice).collect();
    let plain = element(SEQUENCE, &bags);
    let encrypted = element(
        SEQUENCE,
        &[
            &element(INTEGER, &[&[0]]),
            &element(
                SEQUENCE,
                &[
                    &oid(id::DATA),
                    &scheme(salt, vector),
                    // Implicitly tagged, so primitive.
                    &element(0x80, &[&encrypt(&plain, salt, vector)?]),
                ],
            ),
        ],
    );
    let safe = element(SEQUENCE, &[&content(id::ENCRYPTED_DATA, &encrypted)]);
    let mac = element(
        SEQUENCE,
        &[
            &element(
                SEQUENCE,
                &[
                    &element(SEQUENCE, &[&oid(id::SHA256), &element(NULL, &[])]),
                    &element(OCTET_STRING, &[authenticate(&safe, mac_salt).as_ref()]),
                ],
            ),
            &element(OCTET_STRING, &[mac_salt]),
            &rounds(),
        ],
    );
    Ok(element(
        SEQUENCE,
        &[&element(INTEGER, &[&[3]]), &content(id::DATA, &element(OCTET_STRING, &[&safe])), &mac],
    ))
}

fn oid(id: &[u8]) -> Vec<u8> {
    element(OBJECT_ID, &[id])
}

fn content(kind: &[u8], content: &[u8]) -> Vec<u8> {
    element(SEQUENCE, &[&oid(kind), &element(context(0), &[content])])
}

fn rounds() -> Vec<u8> {
    // Its first byte is below 0x80, so it stays positive.
    element(INTEGER, &[&ROUNDS.get().to_be_bytes()[2..]])
}

fn bag(alias: &str, certificate: &[u8]) -> Vec<u8> {
    let name: Vec<u8> = alias.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let name =
        element(SEQUENCE, &[&oid(id::FRIENDLY_NAME), &element(SET, &[&element(BMP_STRING, &[&name])])]);
    let usage = element(SEQUENCE, &[&oid(id::TRUSTED_KEY_USAGE), &element(SET, &[&oid(id::ANY_USAGE)])]);
    let certificate =
        element(SEQUENCE, &[&oid(id::X509), &element(context(0), &[&element(OCTET_STRING, &[certificate])])]);
    // The members of a set stand in the order of their bytes.
    let mut attributes = [name, usage];
    attributes.sort();
    element(
        SEQUENCE,
        &[
            &oid(id::CERTIFICATE_BAG),
            &element(context(0), &[&certificate]),
            &element(SET, &[&attributes[0], &attributes[1]]),
        ],
    )
}

fn scheme(salt: &[u8], vector: &[u8]) -> Vec<u8> {
    let function = element(SEQUENCE, &[&oid(id::HMAC_SHA256), &element(NULL, &[])]);
    let derivation = element(
        SEQUENCE,
        &[&oid(id::PBKDF2), &element(SEQUENCE, &[&element(OCTET_STRING, &[salt]), &rounds(), &function])],
    );
    let cipher = element(SEQUENCE, &[&oid(id::AES256_CBC), &element(OCTET_STRING, &[vector])]);
    element(SEQUENCE, &[&oid(id::PBES2), &element(SEQUENCE, &[&derivation, &cipher])])
}

fn encrypt(plain: &[u8], salt: &[u8], vector: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut key = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, salt, TRUSTSTORE_PASSWORD.as_bytes(), &mut key);
    let cipher =
        cbc::Encryptor::<aes::Aes256>::new_from_slices(&key, vector).map_err(std::io::Error::other)?;
    Ok(cipher.encrypt_padded_vec::<Pkcs7>(plain))
}

/// The integrity check over the safe, with a key derived in the way of RFC 7292, appendix B.2. One block of the digest is the
/// whole key, so the part that chains blocks falls away.
fn authenticate(safe: &[u8], salt: &[u8]) -> hmac::Tag {
    const BLOCK: usize = 64;
    const FOR_INTEGRITY: u8 = 3;
    let password: Vec<u8> =
        TRUSTSTORE_PASSWORD.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect();
    let mut input = vec![FOR_INTEGRITY; BLOCK];
    for part in [salt, &password] {
        input.extend(part.iter().copied().cycle().take(part.len().div_ceil(BLOCK) * BLOCK));
    }
    let mut key = digest::digest(&digest::SHA256, &input);
    for _ in 1..ROUNDS.get() {
        key = digest::digest(&digest::SHA256, key.as_ref());
    }
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()), safe)
}
