#include "ca-service/authority_keys.h"

#include <fmt/format.h>

#include <utility>

#include "libs/pki/digest.h"
#include "libs/pki/external_key.h"

namespace devicetrust::ca {
namespace {

std::string Purpose(const std::string& org, std::string_view name) {
  return fmt::format("ca.signing_key/{}/{}", org, name);
}

absl::StatusOr<UsableKey> OfToken(std::shared_ptr<const pki::Pkcs11Key> token) {
  DT_ASSIGN_OR_RETURN(pki::Signer signer, pki::SignerFor(token));
  return UsableKey{std::move(signer), std::move(token)};
}

}  // namespace

absl::StatusOr<AuthorityKeys::New> AuthorityKeys::Make(const std::string& uri) const {
  if (uri.empty()) {
    DT_ASSIGN_OR_RETURN(const pki::PrivateKey key, pki::PrivateKey::Generate());
    return New{{key}, key.Pkcs8()};
  }
  DT_ASSIGN_OR_RETURN(auto token, pki::Pkcs11Key::Find(uri, pkcs11_));
  if (token->public_key().type() != pki::KeyType::kP256) {
    return absl::InvalidArgumentError(fmt::format("{} is no P-256 key, and the CA's are", uri));
  }
  DT_ASSIGN_OR_RETURN(UsableKey key, OfToken(std::move(token)));
  return New{std::move(key), {}};
}

absl::StatusOr<Bytes> AuthorityKeys::Seal(const std::string& name, Bytes& pkcs8,
                                          Random& random) const {
  if (pkcs8.empty()) return Bytes();
  absl::StatusOr<Bytes> sealed = pki::Seal(kek_, Purpose(org_, name), pkcs8, random);
  pki::Wipe(pkcs8);
  pkcs8.clear();
  return sealed;
}

absl::StatusOr<Bytes> AuthorityKeys::Unseal(const std::string& name, const Bytes& sealed) const {
  absl::StatusOr<Bytes> secret = pki::Open(kek_, Purpose(org_, name), sealed);
  if (secret.ok()) return secret;
  return absl::Status(
      secret.status().code(),
      fmt::format("the CA's key does not open: is --kek-file the one it was sealed with, and --org"
                  " still {}? ({})",
                  org_, std::string(secret.status().message())));
}

absl::StatusOr<UsableKey> AuthorityKeys::Open(const std::string& name, const KeyPlace& place,
                                              const pki::Certificate& certificate) const {
  if (!place.uri.empty()) {
    DT_ASSIGN_OR_RETURN(const pki::PublicKey expected, certificate.public_key());
    DT_ASSIGN_OR_RETURN(auto token, pki::Pkcs11Key::For(place.uri, expected, pkcs11_));
    return OfToken(std::move(token));
  }
  DT_ASSIGN_OR_RETURN(Bytes secret, Unseal(name, place.sealed));
  absl::StatusOr<pki::PrivateKey> key = pki::PrivateKey::FromPkcs8(secret);
  pki::Wipe(secret);
  if (!key.ok()) return key.status();
  return UsableKey{*std::move(key)};
}

}  // namespace devicetrust::ca
