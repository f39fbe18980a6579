#include "ca-service/known_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "libs/base/encoding.h"
#include "libs/base/files.h"

namespace devicetrust::ca {
namespace {

// Thumbprints (RFC 7638).
constexpr std::array<std::string_view, 7> kPrinted = {
    "RQejnA7APu4cWe515UFBIqOOsGcXrbHoLi0v5X3ec7M",  // RFC 4754, section 8.1.
    "6zCobslLk2qqWRx1ZdA3vcxN_beN--P2AW_hzMluhfI",  // RFC 5903, section 8.1, initiator
    "oYeexsQavd5_sE47hfF0aOFtCQD1um50fXkJYBWU-Cc",  // and responder.
    "DOvxvJiAdIqVWIkFt5hDtCunXLF0BV4-JGv4f-ALSm0",  // RFC 6979, appendix A.2.5.
    "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U",  // RFC 7515, appendix A.3.
    "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s",  // RFC 7517, appendix A.2.
    "LIstkoCvByn4jk8oZPvigQkzTzO9UwnGnE-VMlkZvYQ",  // RFC 9500, section 2.3.
};

constexpr std::size_t kHexDigits = 64;

std::optional<pki::Sha256Digest> DigestOf(std::string_view line) {
  const auto octets = line.size() == kHexDigits ? HexDecode(line) : Base64UrlDecode(line);
  pki::Sha256Digest digest;
  if (!octets.ok() || octets->size() != digest.size()) return std::nullopt;
  std::ranges::copy(*octets, digest.begin());
  return digest;
}

std::string_view Trimmed(std::string_view line) {
  line = line.substr(0, line.find('#'));
  const std::size_t first = line.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

}  // namespace

KnownKeys::KnownKeys() {
  for (const std::string_view thumbprint : kPrinted) digests_.push_back(*DigestOf(thumbprint));
  std::ranges::sort(digests_);
}

absl::StatusOr<KnownKeys> KnownKeys::Load(const std::string& path) {
  DT_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kKnownKeysBytesMax));
  KnownKeys keys;
  if (absl::Status read = keys.AddLines(text); !read.ok()) {
    return absl::Status(read.code(), fmt::format("{}: {}", path, std::string(read.message())));
  }
  return keys;
}

absl::Status KnownKeys::AddLines(std::string_view text) {
  digests_.reserve(digests_.size() + static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1);
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = Trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    const auto digest = DigestOf(line);
    if (!digest) {
      return absl::InvalidArgumentError(fmt::format(
          "line {}: expected the SHA-256 of a SubjectPublicKeyInfo as 64 hex digits, or a"
          " thumbprint as RFC 7638 makes it, of 43 characters",
          number));
    }
    digests_.push_back(*digest);
  }
  std::ranges::sort(digests_);
  const auto doubled = std::ranges::unique(digests_);
  digests_.erase(doubled.begin(), doubled.end());
  return absl::OkStatus();
}

bool KnownKeys::Contains(const pki::PublicKey& key) const {
  const auto thumbprint = DigestOf(key.Thumbprint());
  return (thumbprint && std::ranges::binary_search(digests_, *thumbprint)) ||
         std::ranges::binary_search(digests_, pki::Sha256(key.Spki()));
}

}  // namespace devicetrust::ca
