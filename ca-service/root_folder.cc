#include "ca-service/root_folder.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <utility>
#include <vector>

#include "ca-service/authority.h"
#include "ca-service/issuer.h"
#include "libs/base/encoding.h"
#include "libs/base/file_lock.h"
#include "libs/base/files.h"
#include "libs/pki/certificate_validator.h"
#include "libs/pki/crl.h"
#include "libs/pki/sealed_file.h"

namespace devicetrust::ca {
namespace {

constexpr char kCertificateFile[] = "root.pem";
constexpr char kSealedFile[] = "root.key";
constexpr char kUriFile[] = "root.uri";
constexpr char kOrgFile[] = "org";
constexpr char kLastListFile[] = "last-list";  // "NUMBER THIS_UPDATE".
constexpr char kLockFile[] = "root.lock";
constexpr char kIssuedFolder[] = "issued";
constexpr char kRevokedFolder[] = "revoked";
constexpr std::chrono::minutes kListBackdate{5};

std::string_view Line(std::string_view text) {
  return text.substr(0, text.find_last_not_of("\r\n") + 1);
}

absl::StatusOr<AuthorityKeys> KeysOf(const std::string& org, const RootKeyOptions& options,
                                     bool sealed, Random& random) {
  if (!sealed) {  // Nothing is sealed then.
    DT_ASSIGN_OR_RETURN(auto unused, pki::AeadKey::Generate("unused", random));
    return AuthorityKeys(org, std::move(unused), options.pkcs11);
  }
  if (options.kek_file.empty()) {
    return absl::InvalidArgumentError(
        "the root's key is sealed in the folder: --kek-file is missing");
  }
  DT_ASSIGN_OR_RETURN(auto kek, pki::LoadKeyEncryptionKey(options.kek_file));
  return AuthorityKeys(org, std::move(kek), options.pkcs11);
}

absl::Status MakeFolder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error && chmod(path.c_str(), 0700) == 0) return absl::OkStatus();
  return absl::PermissionDeniedError(
      fmt::format("{}: the folder cannot be made for this account alone", path));
}

absl::Status Unreadable(const std::string& path, const std::error_code& error) {
  return absl::FailedPreconditionError(fmt::format("cannot read {}: {}", path, error.message()));
}

absl::StatusOr<bool> Exists(const std::string& path) {
  std::error_code error;
  const bool exists = std::filesystem::exists(path, error);
  if (error) return Unreadable(path, error);
  return exists;
}

absl::StatusOr<std::vector<std::string>> FilesIn(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    paths.push_back(entry->path().string());
  }
  if (error) return Unreadable(folder, error);
  return paths;
}

// Two numbers, as of kLastListFile and the files of kRevokedFolder.
absl::StatusOr<std::pair<std::int64_t, std::int64_t>> Numbers(const std::string& path) {
  DT_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  std::pair<std::int64_t, std::int64_t> numbers;
  const char* const end = text.data() + text.size();
  const auto [space, first] = std::from_chars(text.data(), end, numbers.first);
  if (first == std::errc() && space != end && *space == ' ') {
    const auto [last, second] = std::from_chars(space + 1, end, numbers.second);
    if (second == std::errc() && last != end && *last == '\n') return numbers;
  }
  return absl::DataLossError(path + ": it is damaged");
}

}  // namespace

absl::StatusOr<RootFolder> RootFolder::Create(const std::string& path, const std::string& org,
                                              const RootKeyOptions& options, const Clock& clock,
                                              Random& random) {
  const auto file = [&path](const char* name) { return path + "/" + name; };
  const auto is_free = [&]() -> absl::Status {
    DT_ASSIGN_OR_RETURN(const bool made_before, Exists(file(kCertificateFile)));
    if (!made_before) return absl::OkStatus();
    return absl::AlreadyExistsError(
        fmt::format("{}: there is a root in this folder already", path));
  };
  DT_RETURN_IF_ERROR(is_free());
  // Two at once would leave the key of one beside the certificate of the other.
  DT_RETURN_IF_ERROR(MakeFolder(path));
  DT_ASSIGN_OR_RETURN(const FileLock lock, FileLock::Acquire(file(kLockFile), path));
  DT_RETURN_IF_ERROR(is_free());
  const bool sealed = options.key_uri.empty();
  DT_ASSIGN_OR_RETURN(const AuthorityKeys keys, KeysOf(org, options, sealed, random));
  DT_ASSIGN_OR_RETURN(AuthorityKeys::New made, keys.Make(options.key_uri));
  DT_ASSIGN_OR_RETURN(pki::Certificate certificate,
                      MakeRoot(org, made.key.signer, clock.Now(), random));
  DT_RETURN_IF_ERROR(MakeFolder(file(kIssuedFolder)));
  DT_RETURN_IF_ERROR(MakeFolder(file(kRevokedFolder)));
  DT_RETURN_IF_ERROR(WriteFileAtomically(file(kOrgFile), org + "\n"));
  if (sealed) {
    DT_ASSIGN_OR_RETURN(const Bytes key, keys.Seal(AuthorityId(certificate), made.pkcs8, random));
    DT_RETURN_IF_ERROR(WriteFileAtomically(file(kSealedFile), Base64Encode(key) + "\n"));
  } else {
    DT_RETURN_IF_ERROR(WriteFileAtomically(file(kUriFile), options.key_uri + "\n"));
  }
  // Last: with it the folder is a root's.
  DT_RETURN_IF_ERROR(WriteFileAtomically(file(kCertificateFile), certificate.Pem(), 0644));
  return RootFolder(path, org, {std::move(certificate), made.key.signer}, clock, random);
}

absl::StatusOr<RootFolder> RootFolder::Open(const std::string& path, const RootKeyOptions& options,
                                            const Clock& clock, Random& random) {
  const auto file = [&path](const char* name) { return path + "/" + name; };
  DT_ASSIGN_OR_RETURN(const std::string pem, ReadFile(file(kCertificateFile)));
  auto certificate = pki::Certificate::FromPem(pem);
  if (!certificate.ok()) return Annotate(certificate.status(), file(kCertificateFile));
  DT_ASSIGN_OR_RETURN(const std::string org_line, ReadFile(file(kOrgFile)));
  const std::string org(Line(org_line));
  DT_ASSIGN_OR_RETURN(const bool sealed, Exists(file(kSealedFile)));
  DT_ASSIGN_OR_RETURN(const AuthorityKeys keys, KeysOf(org, options, sealed, random));
  KeyPlace place;
  if (sealed) {
    DT_ASSIGN_OR_RETURN(const std::string text, ReadFile(file(kSealedFile)));
    auto octets = Base64Decode(Line(text));
    if (!octets.ok()) return Annotate(octets.status(), file(kSealedFile));
    place.sealed = *std::move(octets);
  } else if (!options.key_uri.empty()) {
    place.uri = options.key_uri;
  } else {
    DT_ASSIGN_OR_RETURN(const std::string text, ReadFile(file(kUriFile)));
    place.uri = Line(text);
  }
  DT_ASSIGN_OR_RETURN(const UsableKey key,
                      keys.Open(AuthorityId(*certificate), place, *certificate));
  if (key.token) DT_RETURN_IF_ERROR(key.token->Check());
  return RootFolder(path, org, {*std::move(certificate), key.signer}, clock, random);
}

// The copy is written before the certificate is handed out: nothing is signed that is not known.
absl::StatusOr<pki::Certificate> RootFolder::Certify(const pki::PublicKey& key,
                                                     std::chrono::days validity) {
  DT_ASSIGN_OR_RETURN(pki::Certificate issuer,
                      CertifyIssuer(root_, org_, key, validity, clock_.Now(), random_));
  DT_RETURN_IF_ERROR(WriteFileAtomically(
      File(fmt::format("{}/{}.pem", kIssuedFolder, issuer.serial_hex())), issuer.Pem(), 0644));
  return issuer;
}

absl::Status RootFolder::Revoke(const pki::Certificate& issuer) {
  if (!pki::IsIssuedBy(issuer, root_.certificate)) {
    return absl::InvalidArgumentError("this root did not sign the certificate to take back");
  }
  const std::string file = File(fmt::format("{}/{}", kRevokedFolder, issuer.serial_hex()));
  DT_ASSIGN_OR_RETURN(const bool revoked_before, Exists(file));
  if (revoked_before) return absl::OkStatus();
  return WriteFileAtomically(
      file, fmt::format("{} {}\n", UnixSeconds(clock_.Now()), UnixSeconds(issuer.not_after())));
}

absl::StatusOr<Bytes> RootFolder::MakeCrl(std::chrono::days validity) {
  const std::int64_t now = UnixSeconds(clock_.Now());
  pki::Crl crl;
  crl.number = UnixMicros(clock_.Now());
  crl.this_update = AtUnixSeconds(now) - kListBackdate;
  DT_ASSIGN_OR_RETURN(const bool listed_before, Exists(File(kLastListFile)));
  if (listed_before) {
    DT_ASSIGN_OR_RETURN(const auto last, Numbers(File(kLastListFile)));
    crl.number = std::max(crl.number, last.first + 1);
    crl.this_update =
        std::max(crl.this_update, AtUnixSeconds(last.second) + std::chrono::seconds(1));
  }
  crl.next_update = std::max(crl.this_update, AtUnixSeconds(now)) + validity;
  DT_ASSIGN_OR_RETURN(const auto files, FilesIn(File(kRevokedFolder)));
  for (const std::string& file : files) {
    DT_ASSIGN_OR_RETURN(const auto times, Numbers(file));
    crl.revoked.push_back(
        {std::filesystem::path(file).filename().string(), AtUnixSeconds(times.first)});
  }
  std::ranges::sort(crl.revoked, {}, &pki::RevokedCertificate::serial_hex);
  // Before the list is signed: a number names one list for ever.
  DT_RETURN_IF_ERROR(WriteFileAtomically(
      File(kLastListFile), fmt::format("{} {}\n", crl.number, UnixSeconds(crl.this_update))));
  return SignCrl(crl, root_);
}

}  // namespace devicetrust::ca
