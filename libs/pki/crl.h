// Certificate revocation lists (RFC 5280, section 5): full lists of one issuer.
#pragma once

#include <cstdint>
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
  std::vector<RevokedCertificate> revoked;
};

// Signs the list in the name of `issuer`, as DER. Cost: linear in the entries, about a
// microsecond each. kInvalidArgument for a negative number or a serial that is none, kUnavailable
// when the keeper of an external key does not sign.
absl::StatusOr<Bytes> BuildCrl(const Crl& crl, const Identity& issuer);

// Parses exactly one DER list and verifies that `issuer` signed it. Freshness (next_update)
// is the caller's to judge. kInvalidArgument when it is no list or has an unknown critical
// extension, kPermissionDenied when another one signed it.
absl::StatusOr<Crl> ParseCrl(std::span<const std::uint8_t> der, const Certificate& issuer);

std::string CrlToPem(std::span<const std::uint8_t> der);

}  // namespace devicetrust::pki
