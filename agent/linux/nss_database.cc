#include "agent/linux/nss_database.h"

#include <cert.h>
#include <certdb.h>
#include <fmt/format.h>
#include <keyhi.h>
#include <nss.h>
#include <pk11pub.h>
#include <prerror.h>
#include <secerr.h>
#include <secmod.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "libs/base/encoding.h"
#include "libs/base/mutex.h"
#include "libs/pki/external_key.h"

namespace devicetrust::agent {
namespace {

// Frees what NSS gave, by the function of its kind.
template <typename T, auto Free>
struct NssFree {
  void operator()(T* object) const { Free(object); }
};
template <typename T, auto Free>
using NssOwned = std::unique_ptr<T, NssFree<T, Free>>;

void FreeItem(SECItem* item) { SECITEM_FreeItem(item, PR_TRUE); }
void FreeText(char* text) { PORT_Free(text); }
void FreeEncrypted(SECKEYEncryptedPrivateKeyInfo* info) {
  SECKEY_DestroyEncryptedPrivateKeyInfo(info, PR_TRUE);
}
void FreeArena(PLArenaPool* arena) { PORT_FreeArena(arena, PR_TRUE); }

using Slot = NssOwned<PK11SlotInfo, &PK11_FreeSlot>;
using PrivateKey = NssOwned<SECKEYPrivateKey, &SECKEY_DestroyPrivateKey>;
using PublicKey = NssOwned<SECKEYPublicKey, &SECKEY_DestroyPublicKey>;
using PrivateKeys = NssOwned<SECKEYPrivateKeyList, &SECKEY_DestroyPrivateKeyList>;
using Certificate = NssOwned<CERTCertificate, &CERT_DestroyCertificate>;
using CertificateList = NssOwned<CERTCertList, &CERT_DestroyCertList>;
using Item = NssOwned<SECItem, &FreeItem>;
using Text = NssOwned<char, &FreeText>;
using EncryptedKey = NssOwned<SECKEYEncryptedPrivateKeyInfo, &FreeEncrypted>;
using Arena = NssOwned<PLArenaPool, &FreeArena>;

// DER of the named curve P-256 (RFC 5480, section 2.1.1.1), as CKA_EC_PARAMS has it.
constexpr std::array<std::uint8_t, 10> kP256 = {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};

Mutex& NssMutex() {
  static Mutex mutex;
  return mutex;
}

// Without a database of its own, and for the life of the process.
bool StartNss() {
  static NSSInitContext* const context =
      NSS_InitContext("", "", "", "", nullptr,
                      NSS_INIT_NOCERTDB | NSS_INIT_NOMODDB | NSS_INIT_NOROOTINIT |
                          NSS_INIT_OPTIMIZESPACE | NSS_INIT_NOPK11FINALIZE);
  return context != nullptr;
}

absl::Status NssError(const std::string& folder, std::string_view what) {
  const PRErrorCode code = PR_GetError();
  const char* const name = PR_ErrorToName(code);
  const std::string message =
      fmt::format("{}: {}: {}", folder, what, name == nullptr ? std::to_string(code) : name);
  switch (code) {
    case SEC_ERROR_READ_ONLY:
    case PR_NO_ACCESS_RIGHTS_ERROR:
    case PR_READ_ONLY_FILESYSTEM_ERROR:
      return absl::PermissionDeniedError(message);
    case SEC_ERROR_BAD_DATABASE:
    case SEC_ERROR_LEGACY_DATABASE:
      return absl::DataLossError(message);
    case SEC_ERROR_TOKEN_NOT_LOGGED_IN:
    case SEC_ERROR_BAD_PASSWORD:
      return absl::FailedPreconditionError(message);
    default:
      // CKR_GENERAL_ERROR and its like: somebody holds the files, for a moment.
      return absl::UnavailableError(message);
  }
}

SECItem Borrow(std::span<const std::uint8_t> data) {
  return {siBuffer, const_cast<unsigned char*>(data.data()), static_cast<unsigned>(data.size())};
}
std::span<const std::uint8_t> BytesOf(const SECItem& item) { return {item.data, item.len}; }
Bytes Copy(const SECItem& item) { return {item.data, item.data + item.len}; }

std::string IdOf(SECKEYPrivateKey* key) {
  const Item id(PK11_GetLowLevelKeyIDForPrivateKey(key));
  return id ? HexEncode(BytesOf(*id)) : std::string();
}

std::string LabelOf(SECKEYPrivateKey* key) {
  const Text label(PK11_GetPrivateKeyNickname(key));
  return label ? std::string(label.get()) : std::string();
}

absl::StatusOr<pki::PublicKey> PublicOf(SECKEYPublicKey* key) {
  const Item spki(SECKEY_EncodeDERSubjectPublicKeyInfo(key));
  if (!spki) return absl::InternalError("NSS encodes no public key");
  return pki::PublicKey::FromSpki(BytesOf(*spki));
}

// In single quotes of a module's arguments, which a path from profiles.ini must not leave.
std::string Quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

// SQLite's files start so; NSS takes others for locked ones.
bool LooksDamaged(const std::string& folder) {
  for (const char* name : {"/cert9.db", "/key4.db"}) {
    FILE* const file = ::fopen((folder + name).c_str(), "re");
    if (file == nullptr) continue;
    std::array<char, 16> head{};
    const std::size_t got = ::fread(head.data(), 1, head.size(), file);
    ::fclose(file);
    if (got > 0 &&
        std::string_view(head.data(), head.size()) != std::string_view("SQLite format 3\0", 16)) {
      return true;
    }
  }
  return false;
}

class KeyInDatabase final : public pki::ExternalKey {
 public:
  KeyInDatabase(std::string folder, std::string id, pki::PublicKey key)
      : folder_(std::move(folder)), id_(std::move(id)), public_key_(std::move(key)) {}
  pki::PublicKey public_key() const override { return public_key_; }
  absl::StatusOr<Bytes> SignDigest(std::span<const std::uint8_t> digest) const override {
    DT_ASSIGN_OR_RETURN(const NssDatabase database, NssDatabase::Open(folder_, /*create=*/false));
    return database.Sign(id_, digest);
  }

 private:
  const std::string folder_;
  const std::string id_;
  const pki::PublicKey public_key_;
};

}  // namespace

struct NssDatabase::State {
  explicit State(std::string at) : lock(NssMutex()), folder(std::move(at)) {}
  ~State() {
    if (slot) SECMOD_CloseUserDB(slot.get());
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  absl::Status Error(std::string_view what) const { return NssError(folder, what); }

  // Null: none.
  PrivateKey FindKey(const std::string& id) const {
    const PrivateKeys keys(PK11_ListPrivKeysInSlot(slot.get(), nullptr, nullptr));
    if (!keys) return nullptr;
    for (auto* node = PRIVKEY_LIST_HEAD(keys); !PRIVKEY_LIST_END(node, keys);
         node = PRIVKEY_LIST_NEXT(node)) {
      if (IdOf(node->key) == id) return PrivateKey(SECKEY_CopyPrivateKey(node->key));
    }
    return nullptr;
  }
  Certificate FindCertificate(const pki::Certificate& wanted) const {
    const Bytes der = wanted.der();
    const CertificateList list(PK11_ListCertsInSlot(slot.get()));
    if (!list) return nullptr;
    for (auto* node = CERT_LIST_HEAD(list); !CERT_LIST_END(node, list);
         node = CERT_LIST_NEXT(node)) {
      if (std::ranges::equal(BytesOf(node->cert->derCert), der)) {
        return Certificate(CERT_DupCertificate(node->cert));
      }
    }
    return nullptr;
  }
  absl::Status Delete(PrivateKey key) const {
    const PublicKey half(SECKEY_ConvertToPublicKey(key.get()));
    // Frees the key, also when it fails.
    if (PK11_DeleteTokenPrivateKey(key.release(), PR_FALSE) != SECSuccess) {
      return Error("deleting a key");
    }
    if (half) DeletePublicHalf(*half);
    return absl::OkStatus();
  }
  // Of a key that was made here, NSS keeps the public half as an object of its own.
  void DeletePublicHalf(const SECKEYPublicKey& half) const {
    SECKEYPublicKeyList* const list = PK11_ListPublicKeysInSlot(slot.get(), nullptr);
    if (list == nullptr) return;
    for (auto* node = PUBKEY_LIST_HEAD(list); !PUBKEY_LIST_END(node, list);
         node = PUBKEY_LIST_NEXT(node)) {
      if (SECKEY_GetPublicKeyType(node->key) != ecKey ||
          !std::ranges::equal(BytesOf(node->key->u.ec.publicValue),
                              BytesOf(half.u.ec.publicValue))) {
        continue;
      }
      SECKEYPublicKey* const copy = SECKEY_CopyPublicKey(node->key);
      if (copy != nullptr) PK11_DeleteTokenPublicKey(copy);
    }
    SECKEY_DestroyPublicKeyList(list);
  }

  MutexLock lock;
  const std::string folder;
  Slot slot;
};

NssDatabase::NssDatabase(std::unique_ptr<State> state) : state_(std::move(state)) {}
NssDatabase::NssDatabase(NssDatabase&&) noexcept = default;
NssDatabase& NssDatabase::operator=(NssDatabase&&) noexcept = default;
NssDatabase::~NssDatabase() = default;

absl::StatusOr<NssDatabase> NssDatabase::Open(const std::string& folder, bool create) {
  std::error_code error;
  if (!create && !std::filesystem::exists(folder + "/cert9.db", error)) {
    return absl::NotFoundError(fmt::format("{}: there is no NSS database", folder));
  }
  if (create && !std::filesystem::exists(folder, error)) {
    std::filesystem::create_directories(std::filesystem::path(folder).parent_path(), error);
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
      return absl::PermissionDeniedError(
          fmt::format("{}: cannot be made: {}", folder, std::strerror(errno)));
    }
  }
  if (LooksDamaged(folder)) {
    return absl::DataLossError(fmt::format("{}: is no NSS database any more", folder));
  }
  if (::access(folder.c_str(), W_OK) != 0) {
    return absl::PermissionDeniedError(fmt::format("{}: {}", folder, std::strerror(errno)));
  }
  auto state = std::make_unique<State>(folder);
  if (!StartNss()) return state->Error("starting NSS");
  const std::string spec =
      fmt::format("configDir={} tokenDescription='Device Trust'", Quoted("sql:" + folder));
  state->slot.reset(SECMOD_OpenUserDB(spec.c_str()));
  if (!state->slot) return state->Error("opening");
  if (PK11_NeedUserInit(state->slot.get()) == PR_TRUE &&
      PK11_InitPin(state->slot.get(), nullptr, "") != SECSuccess) {
    return state->Error("setting the empty password");
  }
  if (PK11_NeedLogin(state->slot.get()) == PR_TRUE) {
    return absl::FailedPreconditionError(
        fmt::format("{}: is protected by a password, which a task cannot enter", folder));
  }
  return NssDatabase(std::move(state));
}

std::vector<NssDatabase::Entry> NssDatabase::Certificates() const {
  std::vector<Entry> entries;
  const CertificateList list(PK11_ListCertsInSlot(state_->slot.get()));
  if (!list) return entries;
  for (auto* node = CERT_LIST_HEAD(list); !CERT_LIST_END(node, list); node = CERT_LIST_NEXT(node)) {
    auto certificate = pki::Certificate::FromDer(BytesOf(node->cert->derCert));
    if (!certificate.ok()) continue;
    const PrivateKey key(PK11_FindPrivateKeyFromCert(state_->slot.get(), node->cert, nullptr));
    entries.push_back({*std::move(certificate), key != nullptr});
  }
  return entries;
}

absl::StatusOr<NssDatabase::Key> NssDatabase::CreateKey(std::string_view label) {
  SECItem curve = Borrow(kP256);
  SECKEYPublicKey* half = nullptr;
  const PrivateKey key(PK11_GenerateKeyPairWithOpFlags(
      state_->slot.get(), CKM_EC_KEY_PAIR_GEN, &curve, &half,
      PK11_ATTR_TOKEN | PK11_ATTR_PRIVATE | PK11_ATTR_SENSITIVE | PK11_ATTR_EXTRACTABLE, CKF_SIGN,
      CKF_SIGN, nullptr));
  const PublicKey owned_half(half);
  if (!key) return state_->Error("making a key");
  DT_ASSIGN_OR_RETURN(pki::PublicKey public_key, PublicOf(half));
  if (PK11_SetPrivateKeyNickname(key.get(), std::string(label).c_str()) != SECSuccess) {
    return state_->Error("labelling a key");
  }
  return Key{IdOf(key.get()), std::string(label), std::move(public_key), false};
}

std::vector<NssDatabase::Key> NssDatabase::OurKeys() const {
  std::vector<Key> found;
  const PrivateKeys keys(PK11_ListPrivKeysInSlot(state_->slot.get(), nullptr, nullptr));
  if (!keys) return found;
  for (auto* node = PRIVKEY_LIST_HEAD(keys); !PRIVKEY_LIST_END(node, keys);
       node = PRIVKEY_LIST_NEXT(node)) {
    const std::string label = LabelOf(node->key);
    if (!label.starts_with(kKeyLabel)) continue;
    const PublicKey half(SECKEY_ConvertToPublicKey(node->key));
    if (!half) continue;
    auto public_key = PublicOf(half.get());
    if (!public_key.ok()) continue;
    const Certificate certificate(PK11_GetCertFromPrivateKey(node->key));
    found.push_back({IdOf(node->key), label, *std::move(public_key), certificate != nullptr});
  }
  return found;
}

absl::Status NssDatabase::Relabel(const std::string& id, std::string_view label) {
  const PrivateKey key = state_->FindKey(id);
  if (!key) return absl::NotFoundError("there is no such key");
  if (PK11_SetPrivateKeyNickname(key.get(), std::string(label).c_str()) != SECSuccess) {
    return state_->Error("labelling a key");
  }
  return absl::OkStatus();
}

absl::Status NssDatabase::DeleteKey(const std::string& id) {
  PrivateKey key = state_->FindKey(id);
  if (!key) return absl::NotFoundError("there is no such key");
  return state_->Delete(std::move(key));
}

absl::StatusOr<Bytes> NssDatabase::Sign(const std::string& id,
                                        std::span<const std::uint8_t> digest) const {
  const PrivateKey key = state_->FindKey(id);
  if (!key) {
    return absl::FailedPreconditionError(fmt::format("{}: the key is gone", state_->folder));
  }
  std::array<std::uint8_t, 64> buffer{};
  SECItem signature = Borrow(buffer);
  const SECItem hash = Borrow(digest);
  if (PK11_SignWithMechanism(key.get(), CKM_ECDSA, nullptr, &signature, &hash) != SECSuccess) {
    return state_->Error("signing");
  }
  return Copy(signature);
}

absl::Status NssDatabase::Import(const pki::Certificate& certificate, const std::string& nickname) {
  if (state_->FindCertificate(certificate)) return absl::OkStatus();
  const Bytes der = certificate.der();
  SECItem item = Borrow(der);
  const agent::Certificate made(
      CERT_NewTempCertificate(CERT_GetDefaultCertDB(), &item, nullptr, PR_FALSE, PR_TRUE));
  if (!made) return state_->Error("reading the certificate");
  if (PK11_ImportCert(state_->slot.get(), made.get(), CK_INVALID_HANDLE, nickname.c_str(),
                      PR_FALSE) != SECSuccess) {
    return state_->Error("importing the certificate");
  }
  return absl::OkStatus();
}

absl::Status NssDatabase::Remove(const pki::Certificate& certificate) {
  agent::Certificate found = state_->FindCertificate(certificate);
  if (!found) return absl::OkStatus();
  PrivateKey key(PK11_FindPrivateKeyFromCert(state_->slot.get(), found.get(), nullptr));
  if (SEC_DeletePermCertificate(found.get()) != SECSuccess) {
    return state_->Error("deleting the certificate");
  }
  found.reset();
  if (!key) return absl::OkStatus();
  const agent::Certificate other(PK11_GetCertFromPrivateKey(key.get()));
  if (other) return absl::OkStatus();
  return state_->Delete(std::move(key));
}

absl::StatusOr<Bytes> NssDatabase::ExportKey(const pki::Certificate& certificate,
                                             const std::string& secret) {
  const agent::Certificate found = state_->FindCertificate(certificate);
  if (!found) return absl::NotFoundError("there is no such certificate");
  const PrivateKey key(PK11_FindPrivateKeyFromCert(state_->slot.get(), found.get(), nullptr));
  if (!key) return absl::NotFoundError("the certificate has no key");
  SECItem password = Borrow(AsBytes(secret));
  const EncryptedKey info(PK11_ExportEncryptedPrivKeyInfo(state_->slot.get(), SEC_OID_AES_256_CBC,
                                                          &password, key.get(), 1, nullptr));
  if (!info) return state_->Error("exporting a key");
  const Arena arena(PORT_NewArena(DER_DEFAULT_CHUNKSIZE));
  const SECItem* const encoded = SEC_ASN1EncodeItem(
      arena.get(), nullptr, info.get(), SEC_ASN1_GET(SECKEY_EncryptedPrivateKeyInfoTemplate));
  if (encoded == nullptr) return state_->Error("exporting a key");
  return Copy(*encoded);
}

absl::Status NssDatabase::ImportKey(const pki::Certificate& certificate, const Bytes& exported,
                                    const std::string& secret) {
  const Arena arena(PORT_NewArena(DER_DEFAULT_CHUNKSIZE));
  auto* const info = PORT_ArenaZNew(arena.get(), SECKEYEncryptedPrivateKeyInfo);
  const SECItem encoded = Borrow(exported);
  if (info == nullptr ||
      SEC_QuickDERDecodeItem(arena.get(), info,
                             SEC_ASN1_GET(SECKEY_EncryptedPrivateKeyInfoTemplate),
                             &encoded) != SECSuccess) {
    return state_->Error("reading an exported key");
  }
  const Bytes der = certificate.der();
  SECItem item = Borrow(der);
  const agent::Certificate made(
      CERT_NewTempCertificate(CERT_GetDefaultCertDB(), &item, nullptr, PR_FALSE, PR_TRUE));
  const PublicKey half(made ? CERT_ExtractPublicKey(made.get()) : nullptr);
  if (!half) return state_->Error("reading the certificate");
  SECItem password = Borrow(AsBytes(secret));
  std::string label(kKeyLabel);
  SECItem nickname = Borrow(AsBytes(label));
  if (PK11_ImportEncryptedPrivateKeyInfo(state_->slot.get(), info, &password, &nickname,
                                         &half->u.ec.publicValue, PR_TRUE, PR_TRUE, ecKey,
                                         KU_DIGITAL_SIGNATURE, nullptr) != SECSuccess) {
    return state_->Error("importing a key");
  }
  return absl::OkStatus();
}

absl::StatusOr<pki::Signer> SignerInDatabase(const std::string& folder,
                                             const NssDatabase::Key& key) {
  return pki::SignerFor(std::make_shared<KeyInDatabase>(folder, key.id, key.public_key));
}

}  // namespace devicetrust::agent
