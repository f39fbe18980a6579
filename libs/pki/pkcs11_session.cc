#include "libs/pki/pkcs11_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "libs/base/encoding.h"
#include "libs/base/files.h"
#include "libs/base/log.h"
#include "libs/base/printable.h"
#include "libs/pki/certificate.h"
#include "libs/pki/digest.h"
#include "libs/pki/openssl.h"
#include "libs/pki/p256.h"
#include "libs/pki/pkcs11_module.h"

namespace devicetrust::pki {
namespace {

constexpr std::size_t kPinFileBytesMax = 1024;
constexpr std::size_t kSlotsMax = 256;
constexpr std::size_t kAttributeBytesMax = 64 * 1024;
// SubjectPublicKeyInfo up to the point: id-ecPublicKey with secp256r1, with secp384r1.
constexpr std::array<std::uint8_t, 26> kP256Head = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
constexpr std::array<std::uint8_t, 23> kP384Head = {0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86,
                                                    0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
                                                    0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00};

// A text of fixed length that blanks fill up.
template <std::size_t N>
std::string Field(const unsigned char (&text)[N]) {
  std::string field(reinterpret_cast<const char*>(text), N);
  field.erase(field.find_last_not_of(std::string_view(" \0", 2)) + 1);
  return field;
}

bool Matches(const std::string& wanted, const std::string& is) {
  return wanted.empty() || wanted == is;
}

bool Matches(const Pkcs11Uri& uri, ck_slot_id_t slot, const ck_token_info& token) {
  return Matches(uri.token, Field(token.label)) &&
         Matches(uri.serial, Field(token.serial_number)) &&
         Matches(uri.manufacturer, Field(token.manufacturer_id)) &&
         Matches(uri.model, Field(token.model)) && (!uri.slot_id || *uri.slot_id == slot);
}

bool SlotMatches(const Pkcs11Uri& uri, ck_function_list& api, ck_slot_id_t slot) {
  if (uri.slot_description.empty() && uri.slot_manufacturer.empty()) return true;
  ck_slot_info info{};
  return api.C_GetSlotInfo(slot, &info) == CKR_OK &&
         Matches(uri.slot_description, Field(info.slot_description)) &&
         Matches(uri.slot_manufacturer, Field(info.manufacturer_id));
}

bool LibraryMatches(const Pkcs11Uri& uri, ck_function_list& api) {
  if (uri.library_description.empty() && uri.library_manufacturer.empty()) return true;
  ck_info info{};
  return api.C_GetInfo(&info) == CKR_OK &&
         Matches(uri.library_description, Field(info.library_description)) &&
         Matches(uri.library_manufacturer, Field(info.manufacturer_id));
}

// The PIN as the file holds it, without the end of its line.
absl::StatusOr<std::string> ReadPin(const std::string& path) {
  if (path.empty()) {
    return Pkcs11Refused(
        "the token wants a PIN: name its file, mode 0600, by --pkcs11-pin-file, or by"
        " pin-source in the URI");
  }
  DT_RETURN_IF_ERROR(RefuseIfShared(path));
  DT_ASSIGN_OR_RETURN(std::string pin, ReadFile(path, kPinFileBytesMax));
  pin.erase(pin.find_last_not_of("\r\n") + 1);
  if (pin.empty()) return Pkcs11Refused(fmt::format("{}: there is no PIN in it", path));
  return pin;
}

absl::Status CheckPinFlags(ck_flags_t flags, const std::string& token) {
  if ((flags & CKF_USER_PIN_LOCKED) != 0) {
    return Pkcs11Refused(fmt::format(
        "the PIN of token '{}' is locked; whoever has the token's SO-PIN sets it anew", token));
  }
  if ((flags & CKF_USER_PIN_FINAL_TRY) != 0) {
    return Pkcs11Refused(fmt::format(
        "token '{}' locks at the next wrong PIN, so none is given to it from here: log in once with"
        " another tool, for example pkcs11-tool --login, then restart",
        token));
  }
  if ((flags & CKF_USER_PIN_TO_BE_CHANGED) != 0) {
    return Pkcs11Refused(fmt::format("the PIN of token '{}' must be changed first", token));
  }
  return absl::OkStatus();
}

// CKA_EC_POINT is a DER OCTET STRING by the standard, and the bare point in some tokens.
absl::StatusOr<PublicKey> KeyOfPoint(std::span<const std::uint8_t> value) {
  const bool wrapped = value.size() > 2 && value[0] == 4 && value[1] == value.size() - 2 &&
                       value[2] == 4 && (value.size() == 67 || value.size() == 99);
  const auto point = wrapped ? value.subspan(2) : value;
  Bytes spki;
  if (point.size() == 65) spki.assign(kP256Head.begin(), kP256Head.end());
  if (point.size() == 97) spki.assign(kP384Head.begin(), kP384Head.end());
  spki.insert(spki.end(), point.begin(), point.end());
  auto key = PublicKey::FromSpki(spki);
  if (!key.ok()) return Pkcs11Refused("the key is on neither P-256 nor P-384");
  return key;
}

bool Verifies(const PublicKey& key, std::span<const std::uint8_t> digest,
              std::span<const std::uint8_t> raw) {
  using Signature = Owned<ECDSA_SIG, &ECDSA_SIG_free>;
  const Signature parts(ECDSA_SIG_new());
  const int half = static_cast<int>(raw.size() / 2);
  BignumPtr r(BN_bin2bn(raw.data(), half, nullptr));
  BignumPtr s(BN_bin2bn(raw.data() + half, half, nullptr));
  if (parts == nullptr || ECDSA_SIG_set0(parts.get(), r.get(), s.get()) != 1) return false;
  static_cast<void>(r.release());  // Now owned by `parts`.
  static_cast<void>(s.release());
  const Bytes der = ToDer(parts.get(), &i2d_ECDSA_SIG);
  if (IsShortP256(key.get())) return P256Verify(key.get(), digest, der);
  const Owned<EVP_PKEY_CTX, &EVP_PKEY_CTX_free> context(EVP_PKEY_CTX_new(key.get(), nullptr));
  const bool good =
      context != nullptr && EVP_PKEY_verify_init(context.get()) == 1 &&
      EVP_PKEY_verify(context.get(), der.data(), der.size(), digest.data(), digest.size()) == 1;
  if (!good) ClearErrors();
  return good;
}

bool IsKeyGone(ck_rv_t result) {
  return result == CKR_KEY_HANDLE_INVALID || result == CKR_OBJECT_HANDLE_INVALID;
}

bool IsSessionGone(ck_rv_t result) {
  return result == CKR_SESSION_HANDLE_INVALID || result == CKR_SESSION_CLOSED ||
         result == CKR_USER_NOT_LOGGED_IN || result == CKR_OPERATION_ACTIVE ||
         result == CKR_OPERATION_NOT_INITIALIZED;
}

}  // namespace

struct Pkcs11Session::State {
  State(Pkcs11Uri where, std::optional<PublicKey> wanted)
      : uri(std::move(where)), expected(std::move(wanted)) {}

  const Pkcs11Uri uri;
  const std::optional<PublicKey> expected;
  Pkcs11Module* module = nullptr;
  std::uint64_t opened_in = 0;  // The module's generation; 0: not open.
  ck_session_handle_t session = 0;
  ck_object_handle_t key = 0;
  ck_token_info token{};
  bool proven = false;  // A signature of this session was verified.

  ck_function_list& api() const { return *module->api; }
  absl::StatusOr<ck_slot_id_t> FindSlot();
  absl::StatusOr<std::vector<ck_object_handle_t>> Find(ck_object_class_t kind, bool by_label) const;
  absl::StatusOr<Bytes> Read(ck_object_handle_t object, ck_attribute_type_t type) const;
};

absl::StatusOr<ck_slot_id_t> Pkcs11Session::State::FindSlot() {
  std::vector<ck_slot_id_t> slots(kSlotsMax);
  unsigned long count = slots.size();
  const ck_rv_t result = api().C_GetSlotList(1, slots.data(), &count);
  if (result != CKR_OK) return Pkcs11Failed("C_GetSlotList", result);
  slots.resize(std::min<std::size_t>(count, kSlotsMax));
  std::vector<ck_slot_id_t> found;
  std::string others;
  for (const ck_slot_id_t slot : slots) {
    ck_token_info info{};
    if (api().C_GetTokenInfo(slot, &info) != CKR_OK) continue;
    if ((info.flags & CKF_TOKEN_INITIALIZED) == 0) continue;
    if (Matches(uri, slot, info) && SlotMatches(uri, api(), slot) && LibraryMatches(uri, api())) {
      found.push_back(slot);
      token = info;
    } else {
      others += fmt::format("{}'{}'", others.empty() ? "" : ", ", Printable(Field(info.label)));
    }
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    return absl::UnavailableError(fmt::format("no PKCS#11 token matches {}; there {}",
                                              Printable(uri.ToString()),
                                              others.empty() ? "is none" : "are " + others));
  }
  return Pkcs11Refused(fmt::format("{} tokens match {}: name the serial number of one by serial=",
                                   found.size(), Printable(uri.ToString())));
}

// The objects of this kind that have the URI's id; two of them when there are more.
absl::StatusOr<std::vector<ck_object_handle_t>> Pkcs11Session::State::Find(ck_object_class_t kind,
                                                                           bool by_label) const {
  Bytes id = uri.id;
  std::string label = uri.object;
  std::vector<ck_attribute> wanted = {{CKA_CLASS, &kind, sizeof kind},
                                      {CKA_ID, id.data(), id.size()}};
  if (by_label && !label.empty()) wanted.push_back({CKA_LABEL, label.data(), label.size()});
  ck_rv_t result = api().C_FindObjectsInit(session, wanted.data(), wanted.size());
  if (result != CKR_OK) return Pkcs11Failed("C_FindObjectsInit", result);
  std::vector<ck_object_handle_t> found(2);
  unsigned long count = 0;
  result = api().C_FindObjects(session, found.data(), found.size(), &count);
  static_cast<void>(api().C_FindObjectsFinal(session));
  if (result != CKR_OK) return Pkcs11Failed("C_FindObjects", result);
  found.resize(std::min<std::size_t>(count, found.size()));
  return found;
}

absl::StatusOr<Bytes> Pkcs11Session::State::Read(ck_object_handle_t object,
                                                 ck_attribute_type_t type) const {
  ck_attribute attribute{type, nullptr, 0};
  ck_rv_t result = api().C_GetAttributeValue(session, object, &attribute, 1);
  if (result == CKR_ATTRIBUTE_TYPE_INVALID && type == CKA_EC_POINT) {  // An RSA key, say.
    return Pkcs11Refused("the key is on neither P-256 nor P-384");
  }
  if (result != CKR_OK) return Pkcs11Failed("C_GetAttributeValue", result);
  if (attribute.value_len > kAttributeBytesMax)
    return Pkcs11Refused("an attribute is not to be had");
  Bytes value(attribute.value_len);
  attribute.value = value.data();
  result = api().C_GetAttributeValue(session, object, &attribute, 1);
  if (result != CKR_OK) return Pkcs11Failed("C_GetAttributeValue", result);
  value.resize(std::min<std::size_t>(attribute.value_len, value.size()));
  return value;
}

Pkcs11Session::Pkcs11Session(Pkcs11Uri uri, std::optional<PublicKey> expected)
    : state_(std::make_unique<State>(std::move(uri), std::move(expected))) {}

Pkcs11Session::~Pkcs11Session() { Close(); }

void Pkcs11Session::Close() {
  if (state_->opened_in == 0) return;
  const InsidePkcs11 inside(*state_->module);
  if (inside.status().ok()) Forget(inside.generation());
}

// Closes it where its handle is still good.
void Pkcs11Session::Forget(std::uint64_t generation) {
  if (state_->opened_in == generation) {
    static_cast<void>(state_->api().C_CloseSession(state_->session));
  }
  state_->opened_in = 0;
  state_->proven = false;
}

absl::Status Pkcs11Session::Open(std::uint64_t generation) {
  if (state_->opened_in == generation) return absl::OkStatus();
  Forget(generation);
  DT_ASSIGN_OR_RETURN(const ck_slot_id_t slot, state_->FindSlot());
  const ck_rv_t result =
      state_->api().C_OpenSession(slot, CKF_SERIAL_SESSION, nullptr, nullptr, &state_->session);
  if (result != CKR_OK) return Pkcs11Failed("C_OpenSession", result);
  state_->opened_in = generation;
  absl::Status ready = Login();
  if (ready.ok()) ready = FindKey();
  if (!ready.ok()) Forget(generation);
  return ready;
}

// Runs `work` with the session open; once more after the module was begun anew when there was no
// way to open it.
template <typename Result>
absl::StatusOr<Result> Pkcs11Session::WhenOpen(
    const std::function<absl::StatusOr<Result>(std::uint64_t generation)>& work) {
  if (state_->uri.id.empty()) {
    return Pkcs11Refused(
        "the URI names no id: which of two keys with one label is meant differs from"
        " token to token. Give the key's CKA_ID, as in id=%01");
  }
  if (!state_->uri.type.empty() && state_->uri.type != "private") {
    return Pkcs11Refused("the URI is of another type than private");
  }
  if (state_->module == nullptr) {
    DT_ASSIGN_OR_RETURN(state_->module, LoadPkcs11Module(state_->uri));
  }
  for (bool again = false;; again = true) {
    absl::Status opened;
    {
      const InsidePkcs11 inside(*state_->module);
      DT_RETURN_IF_ERROR(inside.status());
      opened = Open(inside.generation());
      if (opened.ok()) return work(inside.generation());
    }
    if (again || !absl::IsUnavailable(opened) || !BeginAnew(*state_->module)) return opened;
  }
}

absl::Status Pkcs11Session::Login() {
  const ck_token_info& token = state_->token;
  if ((token.flags & CKF_LOGIN_REQUIRED) == 0) return absl::OkStatus();
  const std::string label = Printable(Field(token.label));
  Pkcs11Module& module = *state_->module;
  const MutexLock lock(module.login_mutex);
  ck_session_info session{};
  if (state_->api().C_GetSessionInfo(state_->session, &session) == CKR_OK &&
      (session.state == CKS_RO_USER_FUNCTIONS || session.state == CKS_RW_USER_FUNCTIONS)) {
    return absl::OkStatus();  // Logged in by another session of this process.
  }
  DT_RETURN_IF_ERROR(CheckPinFlags(token.flags, label));
  DT_ASSIGN_OR_RETURN(std::string pin, ReadPin(state_->uri.pin_source));
  const std::pair attempt(Field(token.serial_number) + '/' + Field(token.label), Sha256(pin));
  const auto wrong = [&] {
    return Pkcs11Refused(
        fmt::format("token '{}' does not take the PIN in {}, which is not tried again:"
                    " correct the file",
                    label, state_->uri.pin_source));
  };
  if (module.rejected.contains(attempt)) return wrong();
  if ((token.flags & CKF_USER_PIN_COUNT_LOW) != 0) {
    Log(LogLevel::kWarning, "pki.pkcs11.pin_count_low", {{"token", label}});
  }
  const auto octets = std::span(reinterpret_cast<std::uint8_t*>(pin.data()), pin.size());
  const ck_rv_t result =
      state_->api().C_Login(state_->session, CKU_USER, octets.data(), octets.size());
  Wipe(octets);
  switch (result) {
    case CKR_OK:
    case CKR_USER_ALREADY_LOGGED_IN:
      return absl::OkStatus();
    case CKR_PIN_INCORRECT:
    case CKR_PIN_INVALID:
    case CKR_PIN_LEN_RANGE:
      module.rejected.insert(attempt);
      return wrong();
    case CKR_PIN_LOCKED:
      return CheckPinFlags(CKF_USER_PIN_LOCKED, label);
    default:
      return Pkcs11Failed("C_Login", result);
  }
}

absl::Status Pkcs11Session::FindKey() {
  DT_ASSIGN_OR_RETURN(const auto keys, state_->Find(CKO_PRIVATE_KEY, /*by_label=*/true));
  const std::string name = Printable(state_->uri.ToString());
  if (keys.empty()) return Pkcs11Refused(fmt::format("the token holds no private key {}", name));
  if (keys.size() > 1)
    return Pkcs11Refused(fmt::format("the token holds two private keys {}", name));
  state_->key = keys.front();
  if (!state_->expected) return absl::OkStatus();
  DT_ASSIGN_OR_RETURN(const std::optional<PublicKey> stored, StoredPublicKey());
  if (stored && !(*stored == *state_->expected)) {
    return Pkcs11Refused(fmt::format("{} is another key than the certificate's", name));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<PublicKey>> Pkcs11Session::StoredPublicKey() const {
  DT_ASSIGN_OR_RETURN(const auto keys, state_->Find(CKO_PUBLIC_KEY, /*by_label=*/false));
  if (keys.size() == 1) {
    DT_ASSIGN_OR_RETURN(const Bytes point, state_->Read(keys.front(), CKA_EC_POINT));
    DT_ASSIGN_OR_RETURN(PublicKey key, KeyOfPoint(point));
    return key;
  }
  DT_ASSIGN_OR_RETURN(const auto certificates, state_->Find(CKO_CERTIFICATE, /*by_label=*/false));
  if (certificates.size() != 1) return std::nullopt;
  DT_ASSIGN_OR_RETURN(const Bytes der, state_->Read(certificates.front(), CKA_VALUE));
  DT_ASSIGN_OR_RETURN(const Certificate certificate, Certificate::FromDer(der));
  DT_ASSIGN_OR_RETURN(PublicKey key, certificate.public_key());
  return key;
}

absl::StatusOr<PublicKey> Pkcs11Session::ReadPublicKey() {
  return WhenOpen<PublicKey>([this](std::uint64_t) -> absl::StatusOr<PublicKey> {
    DT_ASSIGN_OR_RETURN(const std::optional<PublicKey> stored, StoredPublicKey());
    if (stored) return *stored;
    if (state_->expected) return *state_->expected;
    return Pkcs11Refused(fmt::format("beside {} there is neither its public key nor a certificate",
                                     Printable(state_->uri.ToString())));
  });
}

absl::StatusOr<Bytes> Pkcs11Session::SignDigest(std::span<const std::uint8_t> digest) {
  for (bool again = false;; again = true) {
    ck_rv_t result = CKR_OK;
    absl::StatusOr<Bytes> signature =
        WhenOpen<Bytes>([&](std::uint64_t generation) -> absl::StatusOr<Bytes> {
          absl::StatusOr<Bytes> made = TrySign(digest, result);
          if (!again && IsKeyGone(result)) {
            again = true;
            if (const absl::Status found = FindKey(); !found.ok()) {
              made = absl::UnavailableError(
                  fmt::format("the key has gone: {}", std::string(found.message())));
            } else {
              made = TrySign(digest, result);
            }
          }
          if (!made.ok()) Forget(generation);
          return made;
        });
    if (again || !IsSessionGone(result)) return signature;
  }
}

absl::StatusOr<Bytes> Pkcs11Session::TrySign(std::span<const std::uint8_t> digest,
                                             ck_rv_t& result) {
  ck_mechanism mechanism{CKM_ECDSA, nullptr, 0};
  result = state_->api().C_SignInit(state_->session, &mechanism, state_->key);
  if (result != CKR_OK) return Pkcs11Failed("C_SignInit", result);
  Bytes input(digest.begin(), digest.end());
  Bytes signature(2 * 48);
  unsigned long size = signature.size();
  result =
      state_->api().C_Sign(state_->session, input.data(), input.size(), signature.data(), &size);
  if (result != CKR_OK) return Pkcs11Failed("C_Sign", result);
  signature.resize(std::min<std::size_t>(size, signature.size()));
  if (state_->proven || !state_->expected) return signature;
  if (!Verifies(*state_->expected, digest, signature)) {
    return Pkcs11Refused(fmt::format("{} signs with another key than the certificate's",
                                     Printable(state_->uri.ToString())));
  }
  state_->proven = true;
  return signature;
}

}  // namespace devicetrust::pki
