#include "libs/pki/sealed_file.h"

#include <fmt/format.h>

#include <span>

#include "libs/base/encoding.h"
#include "libs/base/files.h"
#include "libs/pki/digest.h"

namespace devicetrust::pki {
namespace {

constexpr std::size_t kKekFileBytesMax = 1024;

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

}  // namespace

absl::StatusOr<AeadKey> LoadKeyEncryptionKey(const std::string& path) {
  DT_RETURN_IF_ERROR(RefuseIfShared(path));
  DT_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kKekFileBytesMax));
  absl::StatusOr<Bytes> secret = HexDecode(Trimmed(text));
  if (!secret.ok() || secret->size() != kAeadKeyBytes) {
    return absl::InvalidArgumentError(
        fmt::format("{}: expected 64 hex digits, as `openssl rand -hex 32` prints", path));
  }
  const Sha256Digest name = HmacSha256(*secret, AsBytes("devicetrust key-encryption key id"));
  absl::StatusOr<AeadKey> key =
      AeadKey::Create("kek-" + HexEncode(std::span(name).first(8)), *secret);
  Wipe(*secret);
  return key;
}

absl::Status WriteKeyEncryptionKey(const std::string& path, Random& random) {
  if (absl::StatusOr<std::string> old = ReadFile(path, kKekFileBytesMax);
      old.ok() || old.status().code() != absl::StatusCode::kNotFound) {
    return absl::AlreadyExistsError(path + ": there is a key already; move it away first");
  }
  Bytes secret(kAeadKeyBytes);
  DT_RETURN_IF_ERROR(random.Fill(secret));
  const absl::Status written = WriteFileAtomically(path, HexEncode(secret) + "\n", 0600);
  Wipe(secret);
  return written;
}

}  // namespace devicetrust::pki
