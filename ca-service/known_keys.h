// Keys that others than their device know: printed in standards, made by generators with too
// little randomness, found in public. Nobody proves anything by one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libs/base/status.h"
#include "libs/pki/digest.h"
#include "libs/pki/key.h"

namespace devicetrust::ca {

inline constexpr std::size_t kKnownKeysBytesMax = std::size_t{256} << 20;

// A set of keys, by digest. Immutable once read, thread-safe. 32 bytes for each.
class KnownKeys {
 public:
  // The P-256 keys that RFCs print with their private half.
  KnownKeys();
  // Those and the ones of a file: a digest a line, of either form: 64 hex digits, SHA-256 of the
  // SubjectPublicKeyInfo in DER; or 43 characters of base64url, the thumbprint of RFC 7638. Empty
  // lines and what follows a "#" do not count.
  //
  // kInvalidArgument, with the number of the line; kNotFound and the like for the file.
  static absl::StatusOr<KnownKeys> Load(const std::string& path);

  bool Contains(const pki::PublicKey& key) const;
  std::size_t size() const { return digests_.size(); }

 private:
  absl::Status AddLines(std::string_view text);

  std::vector<pki::Sha256Digest> digests_;  // Sorted. Of both forms: neither is ever the other's.
};

}  // namespace devicetrust::ca
