#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/base/bytes.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/pki/digest.h"
#include "libs/pki/key.h"

struct x509_st;  // OpenSSL's X509: its headers stay inside libs/pki.

namespace devicetrust::pki {

inline constexpr std::size_t kCertificateBytesMax = 64 * 1024;

// An X.509 certificate. Immutable, thread-safe, cheap to copy. Accessors state what is
// written in it; that anybody vouches for it is the business of
// certificate_validator.h.
//
// One of the usual form (see CertificateParts in certificate.cc) is kept as its DER until an
// accessor needs more of OpenSSL than its readers of names, numbers and times: a whole X509
// costs 130 us to parse, most of it for the key.
class Certificate {
 public:
  explicit Certificate(std::shared_ptr<x509_st> x509);

  // From exactly one DER certificate of at most kCertificateBytesMax, no trailing bytes.
  static absl::StatusOr<Certificate> FromDer(std::span<const std::uint8_t> der);
  // From text that holds one PEM certificate and besides it only white space.
  static absl::StatusOr<Certificate> FromPem(std::string_view pem);

  Bytes der() const;
  std::string Pem() const;
  Sha256Digest Fingerprint() const;  // SHA-256 of the DER.

  std::string common_name() const;         // UTF-8; empty when the subject has no CN.
  std::string issuer_common_name() const;  // The same of the issuer.
  Bytes subject_der() const;               // The whole names, to compare or to hint.
  Bytes issuer_der() const;

  // Lower-case hex, two digits an octet, no leading zero octet. Empty when it is not
  // positive, which no issuer of ours writes. Revocation goes by issuer and serial, never
  // by fingerprint: a signature (r, -s) verifies too, under another fingerprint.
  std::string serial_hex() const;
  WallTime not_before() const;
  WallTime not_after() const;  // The last second of validity.

  // kInvalidArgument when the key is of a kind that PublicKey::FromSpki refuses.
  absl::StatusOr<PublicKey> public_key() const;

  // Subject alternative names, and addresses in text form ("127.0.0.1", "::1").
  std::vector<std::string> uris() const;
  std::vector<std::string> dns_names() const;
  std::vector<std::string> ip_addresses() const;
  std::vector<std::string> crl_urls() const;  // Of the CRL distribution points.

  bool is_ca() const;               // basicConstraints CA and may sign certificates.
  bool allows_client_auth() const;  // Says so in its extended key usage.
  bool allows_server_auth() const;
  Bytes subject_key_id() const;  // Empty when absent.
  Bytes authority_key_id() const;

  x509_st* get() const;  // Borrowed, never null.

 private:
  struct State;
  explicit Certificate(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

// Certificates in the order of a PEM text that holds nothing but them and white space.
// kInvalidArgument for none, more than `count_max`, or anything else in between.
absl::StatusOr<std::vector<Certificate>> CertificatesFromPem(std::string_view pem,
                                                             std::size_t count_max = 64);
// The first 1,000 that can be read of a machine's list of CAs, which may hold one of a kind that
// we do not know, and comments. Empty: none.
std::vector<Certificate> CasFromPem(std::string_view pem);
std::string CertificatesToPem(const std::vector<Certificate>& certificates);

// A certificate with the signer of its key.
struct Identity {
  Certificate certificate;
  Signer key;
  std::vector<Certificate> intermediates = {};  // Sent along, leaf's issuer first.
};

// The same where the key's octets are here and may be written down.
struct ExportableIdentity {
  Certificate certificate;
  PrivateKey key;
  std::vector<Certificate> intermediates = {};

  operator Identity() const { return {certificate, key, intermediates}; }  // NOLINT: meant.
};

// From the PEM of a chain (leaf first) and of its key. kInvalidArgument when either does
// not parse, kFailedPrecondition when the key is not the leaf's.
absl::StatusOr<Identity> IdentityFromPem(std::string_view chain_pem, std::string_view key_pem);

// kOcspSigning: a responder's, whose own status nobody asks for (id-pkix-ocsp-nocheck).
enum class Usage { kCa, kClientAuth, kServerAuth, kServerAndClientAuth, kOcspSigning };

struct CertificateSpec {
  std::string common_name;  // Empty: no CN; then there must be an alternative name.
  std::string serial_hex;   // Positive, at most 20 octets (RFC 5280, section 4.1.2.2).
  Usage usage = Usage::kClientAuth;
  WallTime not_before;  // Whole seconds; the rest is cut off.
  WallTime not_after;
  std::string organization = {};
  std::optional<int> path_length = {};  // Of a CA: how many CAs may follow it.
  std::vector<std::string> uris = {};
  std::vector<std::string> dns_names = {};
  std::vector<std::string> ip_addresses = {};
  std::vector<std::string> crl_urls = {};
  std::vector<std::string> ocsp_urls = {};
  std::vector<std::string> ca_issuer_urls = {};  // Where the issuer's certificate is served.
};

// What is signed of a certificate (RFC 5280, section 4.1.2, TBSCertificate), as DER: `spec` for
// `subject` in the name of `issuer`, with basicConstraints, key usage and key identifiers
// (section 4.2.1). kInvalidArgument when `spec` holds what a certificate can't;
// kFailedPrecondition when `issuer` is no CA. Thread-safe, as what follows.
absl::StatusOr<Bytes> CertificateContent(const CertificateSpec& spec, const PublicKey& subject,
                                         const Identity& issuer);
// The certificate of that content; `key` is the issuer's.
absl::StatusOr<Certificate> SignContent(std::span<const std::uint8_t> content, const Signer& key);

// Both at once.
absl::StatusOr<Certificate> SignCertificate(const CertificateSpec& spec, const PublicKey& subject,
                                            const Identity& issuer);

// The root of a chain: its own key signs it.
absl::StatusOr<Certificate> SignSelf(const CertificateSpec& spec, const Signer& key);

// As long as a serial may be: in the order of issue (ordered_id.h), with 112 random bits.
absl::StatusOr<std::string> NewSerial(WallTime now, Random& random);

}  // namespace devicetrust::pki
