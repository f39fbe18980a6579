// The Online Certificate Status Protocol (RFC 6960) as a responder needs it: requests are read,
// answers made and signed. Which status a certificate has is the caller's to know.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "libs/base/bytes.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/pki/certificate.h"
#include "libs/pki/crl.h"

namespace devicetrust::pki {

inline constexpr std::size_t kOcspRequestBytesMax = 16 * 1024;
inline constexpr std::size_t kOcspIdsMax = 32;          // Certificates that one request asks about.
inline constexpr std::size_t kOcspNonceBytesMax = 128;  // RFC 9654, section 2.1.

// The hash by which a CertID names its issuer. kOther: one that nobody here computes.
enum class OcspHash : std::uint8_t { kSha1, kSha256, kOther };

// One certificate that is asked about, as octets of the request.
struct OcspCertId {
  std::span<const std::uint8_t> der;  // The whole CertID: the answer repeats it octet for octet.
  OcspHash hash = OcspHash::kOther;
  std::span<const std::uint8_t> issuer_name_hash;
  std::span<const std::uint8_t> issuer_key_hash;
  std::span<const std::uint8_t> serial;  // Content of the INTEGER.

  // As Certificate::serial_hex(): empty when it is none that a certificate may have.
  std::string serial_hex() const;
};

// A request, read strictly: exactly one structure in DER, at most kOcspRequestBytesMax, 1 to
// kOcspIdsMax certificates, no extension twice, no critical extension but the nonce. Whether it
// is signed, and by whom it says it is, does not matter: the answers are public. Owns the octets
// that the ids point into.
class OcspRequest {
 public:
  // kInvalidArgument: malformed or over a limit.
  static absl::StatusOr<OcspRequest> Parse(Bytes der);

  OcspRequest(OcspRequest&&) = default;
  OcspRequest& operator=(OcspRequest&&) = default;
  OcspRequest(const OcspRequest&) = delete;
  OcspRequest& operator=(const OcspRequest&) = delete;

  std::span<const std::uint8_t> der() const { return der_; }
  const std::vector<OcspCertId>& ids() const { return ids_; }
  // The whole extension, which an answer repeats; empty when there is none, or none of 1 to
  // kOcspNonceBytesMax octets.
  std::span<const std::uint8_t> nonce() const { return nonce_; }

 private:
  OcspRequest() = default;
  bool Read();
  bool ReadIds(std::span<const std::uint8_t> list);
  bool ReadExtensions(std::span<const std::uint8_t> explicit_content, bool of_request);

  Bytes der_;
  std::vector<OcspCertId> ids_;
  std::span<const std::uint8_t> nonce_;
};

// An issuer as CertIDs name it, by either hash.
class OcspIssuer {
 public:
  explicit OcspIssuer(const Certificate& issuer);
  bool Is(const OcspCertId& id) const;

 private:
  struct Hashes {
    Bytes name, key;
  };
  std::array<Hashes, 2> hashes_;  // By OcspHash.
};

enum class OcspStatus : std::uint8_t { kGood, kRevoked, kUnknown };

struct OcspCertStatus {
  OcspStatus status = OcspStatus::kUnknown;
  WallTime revoked_at = {};  // Of kRevoked, as the next; kUnspecified is left out.
  CrlReason reason = CrlReason::kUnspecified;
};

// What one signature covers.
struct OcspAnswer {
  struct Single {
    std::span<const std::uint8_t> cert_id;  // As asked.
    OcspCertStatus status;
  };
  std::vector<Single> singles;
  WallTime produced_at;  // Whole seconds, as the next; the rest is cut off.
  WallTime this_update;
  WallTime next_update;
  std::span<const std::uint8_t> nonce = {};  // OcspRequest::nonce().
};

// Signs answers in the name of a responder whose certificate goes along (RFC 6960, section
// 4.2.2.2): a delegate, certified with Usage::kOcspSigning by the issuer it answers for.
// Immutable, thread-safe.
class OcspSigner {
 public:
  explicit OcspSigner(Identity delegate);

  const Certificate& certificate() const { return delegate_.certificate; }
  // A whole OCSPResponse in DER. Cost: one signature. kInvalidArgument: a time outside of the
  // years 1970 to 2261. Otherwise as Signer::Sign.
  absl::StatusOr<Bytes> Sign(const OcspAnswer& answer) const;

 private:
  Identity delegate_;
  Bytes responder_id_;  // By key, as the next in DER.
  Bytes certificates_;
};

// Answers that nobody signs (RFC 6960, section 4.2.1).
enum class OcspError : std::uint8_t {
  kMalformedRequest = 1,
  kInternalError = 2,
  kTryLater = 3,
  kUnauthorized = 6,
};
Bytes OcspErrorResponse(OcspError error);

}  // namespace devicetrust::pki
