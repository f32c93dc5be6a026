// Whom a process trusts: a file of authorities, or the system's.

import COpenSSL
import EventLoop
import Glibc

extension TLSContext {
    /// Trusts the authorities of `file` alone, or the system's.
    ///
    /// Whoever stands in the file is trusted as it is, though another may have issued it: a company's own authority, or the
    /// server's certificate itself. Without the flag OpenSSL wants all issuers up to one that has signed itself.
    ///
    /// - Returns: whether there are any.
    func trustAuthorities(in file: String?) throws(HTTPError) -> Bool {
        guard let file else { return trust(SystemAuthorities()) }
        try load("authorities file", file) { unsafe SSL_CTX_load_verify_file(pointer, file) }
        unsafe X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(pointer), UInt(X509_V_FLAG_PARTIAL_CHAIN))
        return true
    }

    /// OpenSSL's file is read now, so that no handshake has to wait for the disk: 15 ms and 0.8 MiB for Debian's authorities. Its
    /// directory is only looked into for those that the file lacks.
    private func trust(_ system: SystemAuthorities) -> Bool {
        if system.exist { return unsafe SSL_CTX_set_default_verify_paths(pointer) == 1 }
        guard !system.areChosen else { return false }
        return SystemAuthorities.bundles.contains { bundle in
            unsafe obstacle(to: bundle) == nil && SSL_CTX_load_verify_file(pointer, bundle) == 1
        }
    }
}

/// Where OpenSSL looks for authorities.
struct SystemAuthorities {
    /// Where distributions keep them, for images that lack OpenSSL's own places.
    static let bundles = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"]

    let file: String
    /// Several are separated by colons.
    let directories: String
    /// Whether `SSL_CERT_FILE` or `SSL_CERT_DIR` says so.
    let areChosen: Bool

    init(file: String, directories: String, areChosen: Bool) {
        (self.file, self.directories, self.areChosen) = (file, directories, areChosen)
    }

    init() {
        let chosenFile = environmentVariable(unsafe String(cString: X509_get_default_cert_file_env()))
        let chosenDirectories = environmentVariable(unsafe String(cString: X509_get_default_cert_dir_env()))
        file = unsafe chosenFile ?? String(cString: X509_get_default_cert_file())
        directories = unsafe chosenDirectories ?? String(cString: X509_get_default_cert_dir())
        areChosen = chosenFile != nil || chosenDirectories != nil
    }

    /// All places that are looked at.
    var files: [String] { [file] + directories.split(separator: ":").map(String.init) + Self.bundles }

    /// Whether there is a file, or something in a directory.
    var exist: Bool {
        obstacle(to: file) == nil || directories.split(separator: ":").contains { holdsCertificate(String($0)) }
    }
}

/// Whether one of a directory's names is such as OpenSSL looks for: eight lower-case hexadecimal digits and a dot.
private func holdsCertificate(_ directory: String) -> Bool {
    guard let stream = unsafe opendir(directory) else { return false }
    defer { unsafe closedir(stream) }
    while let entry = unsafe readdir(stream) {
        guard let name = unsafe entry.pointer(to: \.d_name.0) else { continue }
        if unsafe isHash(String(cString: name)) { return true }
    }
    return false
}

private func isHash(_ name: String) -> Bool {
    let bytes = Array(name.utf8)
    return bytes.count > 9 && bytes[8] == UInt8(ascii: ".") && bytes[..<8].allSatisfy(\.isLowercaseHexadecimal)
}

extension UInt8 {
    fileprivate var isLowercaseHexadecimal: Bool { hexadecimalDigit != nil && self == lowercased }
}

/// Why a file is not given to OpenSSL, which would read a pipe or a device for ever; nil when nothing speaks against it.
func obstacle(to file: String) -> String? {
    guard let status = FileStatus(file), unsafe access(file, R_OK) == 0 else { return unsafe String(cString: strerror(errno)) }
    guard status.kind == .regular else { return "not a regular file" }
    guard status.size > 0 else { return "it is empty" }
    return status.size > fileBytesMax ? "larger than \(fileBytesMax >> 20) MiB" : nil
}

/// All of the world's authorities fit in a twentieth of it.
private let fileBytesMax = 8 << 20
