// Certificates of every kind, good and bad, made for one test.

import COpenSSL

/// A certificate with its key and those who issued it.
@safe final class TestCertificate {
    enum Key { case ec, rsa(bits: Int32) }

    struct Kind {
        var subject = "server"
        /// In OpenSSL's syntax for the extension subjectAltName.
        var names: String? = "DNS:localhost"
        /// In seconds from now.
        var validity = -3_600...3_600
        var digest = "SHA256"
        var key = Key.ec
        /// Other extensions by their NID.
        var extensions: [Int32: String] = [:]

        static func authority(_ subject: String = "authority") -> Kind {
            var kind = Kind(subject: subject, names: nil)
            kind.extensions = [NID_basic_constraints: "critical,CA:TRUE", NID_key_usage: "critical,keyCertSign"]
            return kind
        }
    }

    let pointer: OpaquePointer
    let key: OpaquePointer
    let issuer: TestCertificate?

    /// - Parameter issuer: nil for one that is signed by itself.
    init(_ kind: Kind = Kind(), by issuer: TestCertificate? = nil) {
        unsafe key = makeKey(kind.key)
        unsafe pointer = X509_new()
        self.issuer = issuer
        fill(kind)
        let digest = unsafe EVP_get_digestbyname(kind.digest)
        precondition(unsafe X509_sign(pointer, issuer?.key ?? key, digest) > 0)
    }

    deinit {
        unsafe X509_free(pointer)
        unsafe EVP_PKEY_free(key)
    }

    private func fill(_ kind: Kind) {
        unsafe X509_set_version(pointer, 2)
        unsafe ASN1_INTEGER_set(X509_get_serialNumber(pointer), Int.random(in: 1..<1 << 40))
        unsafe X509_gmtime_adj(X509_getm_notBefore(pointer), kind.validity.lowerBound)
        unsafe X509_gmtime_adj(X509_getm_notAfter(pointer), kind.validity.upperBound)
        unsafe X509_set_pubkey(pointer, key)
        let name = unsafe X509_get_subject_name(pointer)
        let subject = Array(kind.subject.utf8)
        unsafe X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_FLAG | 1, subject, Int32(subject.count), -1, 0)
        unsafe X509_set_issuer_name(pointer, issuer.map { unsafe X509_get_subject_name($0.pointer) } ?? name)
        if let names = kind.names { add(NID_subject_alt_name, names) }
        for (nid, value) in kind.extensions { add(nid, value) }
    }

    private func add(_ nid: Int32, _ value: String) {
        var context = unsafe X509V3_CTX()
        unsafe X509V3_set_ctx(&context, issuer?.pointer ?? pointer, pointer, nil, nil, 0)
        let made = unsafe X509V3_EXT_conf_nid(nil, &context, nid, value)
        precondition(unsafe made != nil, "no such extension: \(value)")
        unsafe X509_add_ext(pointer, made, -1)
        unsafe X509_EXTENSION_free(made)
    }

    /// The certificate alone.
    var pem: [UInt8] {
        unsafe bytes { unsafe PEM_write_bio_X509($0, pointer) }
    }

    /// - Parameter password: encrypts the key.
    func keyPEM(password: String? = nil) -> [UInt8] {
        unsafe bytes { bio in
            guard let password else { return unsafe PEM_write_bio_PrivateKey(bio, key, nil, nil, 0, nil, nil) }
            let text = Array(password.utf8)
            return unsafe PEM_write_bio_PrivateKey(bio, key, EVP_aes_128_cbc(), text, Int32(text.count), nil, nil)
        }
    }

    private func bytes(_ write: (OpaquePointer) -> Int32) -> [UInt8] {
        let bio = unsafe BIO_new(BIO_s_mem())!
        defer { unsafe BIO_free(bio) }
        precondition(unsafe write(bio) == 1)
        return unsafe drain(bio)
    }
}

/// All that a memory BIO holds.
func drain(_ bio: OpaquePointer) -> [UInt8] {
    let count = unsafe Int(BIO_ctrl_pending(bio))
    return unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
        initialized = unsafe count == 0 ? 0 : Int(BIO_read(bio, buffer.baseAddress, Int32(count)))
    }
}

private func makeKey(_ kind: TestCertificate.Key) -> OpaquePointer {
    let isEC = if case .ec = kind { true } else { false }
    let context = unsafe EVP_PKEY_CTX_new_from_name(nil, isEC ? "EC" : "RSA", nil)
    defer { unsafe EVP_PKEY_CTX_free(context) }
    var key: OpaquePointer?
    unsafe EVP_PKEY_keygen_init(context)
    switch kind {
    case .ec: unsafe EVP_PKEY_CTX_set_group_name(context, "P-256")
    case .rsa(let bits): unsafe EVP_PKEY_CTX_set_rsa_keygen_bits(context, bits)
    }
    precondition(unsafe EVP_PKEY_generate(context, &key) == 1)
    return unsafe key!
}
