// Certificate revocation lists (RFC 5280, section 5) of one issuer: of all its certificates or a
// part of them, and delta lists.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libs/base/bytes.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/pki/certificate.h"

namespace devicetrust::pki {

// Reason codes of RFC 5280, section 5.3.1. kUnspecified is left out of the list, as
// the RFC asks.
enum class CrlReason {
  kUnspecified = 0,
  kKeyCompromise = 1,
  kCaCompromise = 2,
  kAffiliationChanged = 3,
  kSuperseded = 4,
  kCessationOfOperation = 5,
  kCertificateHold = 6,
  kRemoveFromCrl = 8,  // On a delta list alone: off hold, or expired.
  kPrivilegeWithdrawn = 9,
};

struct RevokedCertificate {
  std::string serial_hex;  // As Certificate::serial_hex().
  WallTime revoked_at;
  CrlReason reason = CrlReason::kUnspecified;
};

struct Crl {
  std::int64_t number = 0;  // Strictly growing: one number, one list.
  WallTime this_update;
  WallTime next_update;
  std::vector<RevokedCertificate> revoked = {};
  // A list of a part of the certificates: the addresses of it that they name, octet for octet. It
  // says by a critical issuingDistributionPoint that it is of end entities alone.
  std::vector<std::string> part_urls = {};
  // A delta list: of what changed since the complete list of that number (section 5.2.4).
  std::optional<std::int64_t> base_number = {};
  // Where the delta lists to this complete one are (section 5.2.6); empty: there are none.
  std::string delta_url = {};
};

// Appends the DER of an entry; some ten nanoseconds. `serial`: its octets, big-endian, of a
// positive number of at most 20.
void AppendCrlEntry(Bytes& entries, std::span<const std::uint8_t> serial, WallTime revoked_at,
                    CrlReason reason);

// Signs the list in the name of `issuer`, as DER; `entries` are those of AppendCrlEntry(), and
// crl.revoked is not looked at. Cost: linear in the octets, about a nanosecond each.
// kInvalidArgument: a negative number. kUnavailable: the keeper of an external key does not sign.
absl::StatusOr<Bytes> BuildCrl(const Crl& crl, std::span<const std::uint8_t> entries,
                               const Identity& issuer);
// The same with the entries of crl.revoked. kInvalidArgument: a serial that is none.
absl::StatusOr<Bytes> BuildCrl(const Crl& crl, const Identity& issuer);

// Parses exactly one DER list and verifies that `issuer` signed it. Freshness (next_update)
// is the caller's to judge. Part and delta lists come with what marks them: what is complete has
// neither part_urls nor base_number. kInvalidArgument when it is no list or has an unknown critical
// extension, kPermissionDenied when another one signed it.
absl::StatusOr<Crl> ParseCrl(std::span<const std::uint8_t> der, const Certificate& issuer);

std::string CrlToPem(std::span<const std::uint8_t> der);

}  // namespace devicetrust::pki
