#include "simulator/gateway/upstream/org_snapshots.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "libs/base/encoding.h"
#include "libs/base/names.h"
#include "libs/token/names.h"

namespace devicetrust::gateway {

namespace {

// An org that is older than this gateway does not say which sign: the first does.
absl::Status AddSamlKeys(const org::v1::GetGatewayKeysResponse& keys, Keyring& keyring) {
  const bool says = std::ranges::any_of(keys.saml_keys(), &org::v1::SigningKey::signs);
  for (const org::v1::SigningKey& key : keys.saml_keys()) {
    DT_ASSIGN_OR_RETURN(pki::Certificate certificate,
                        pki::Certificate::FromPem(key.certificate_pem()));
    keyring.saml_certificates.push_back(certificate);
    if (says ? !key.signs() : !keyring.saml_signers.empty()) continue;
    DT_ASSIGN_OR_RETURN(pki::PrivateKey secret, pki::PrivateKey::FromPem(key.private_key_pem()));
    keyring.saml_signers.push_back({std::move(certificate), std::move(secret)});
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Keyring> ToKeyring(std::string_view org,
                                  const org::v1::GetGatewayKeysResponse& keys) {
  if (keys.cookie_keys().empty() || keys.proof_keys().empty() || keys.saml_keys().empty()) {
    return absl::InvalidArgumentError("the org handed out no cookie, proof or SAML key");
  }
  std::vector<pki::AeadKey> cookie_keys;
  for (const org::v1::SymmetricKey& key : keys.cookie_keys()) {
    DT_ASSIGN_OR_RETURN(pki::AeadKey parsed, pki::AeadKey::Create(key.kid(), AsBytes(key.key())));
    cookie_keys.push_back(std::move(parsed));
  }
  const org::v1::SigningKey& newest = keys.proof_keys(0);
  DT_ASSIGN_OR_RETURN(pki::PrivateKey proof_key,
                      pki::PrivateKey::FromPem(newest.private_key_pem()));
  token::KeySet proof_keys;
  for (const org::v1::SigningKey& key : keys.proof_keys()) {
    DT_ASSIGN_OR_RETURN(const pki::PrivateKey parsed,
                        pki::PrivateKey::FromPem(key.private_key_pem()));
    proof_keys.Add(key.kid(), token::ProofIssuer(org), parsed.public_key());
  }
  Keyring keyring{std::string(org),
                  std::move(cookie_keys),
                  token::SigningKey{newest.kid(), std::move(proof_key)},
                  std::move(proof_keys),
                  {},
                  {}};
  DT_RETURN_IF_ERROR(AddSamlKeys(keys, keyring));
  return keyring;
}

const pki::Identity& Keyring::SamlSigner(org::v1::SamlKeyKind kind) const {
  const pki::KeyType type =
      kind == org::v1::SAML_KEY_KIND_ECDSA ? pki::KeyType::kP256 : pki::KeyType::kRsa2048;
  for (const pki::Identity& signer : saml_signers) {
    if (signer.key.type() == type) return signer;
  }
  return saml_signers.front();
}

std::vector<pki::Certificate> Keyring::SamlCertificates(bool curves) const {
  std::vector<pki::Certificate> certificates;
  for (const pki::Certificate& each : saml_certificates) {
    const absl::StatusOr<pki::PublicKey> key = each.public_key();
    if (key.ok() && (curves || key->type() == pki::KeyType::kRsa2048)) certificates.push_back(each);
  }
  return certificates;
}

AppDirectory::AppDirectory(const org::v1::ListAppsResponse& apps)
    : version_(apps.version()), default_name_id_format_(apps.default_name_id_format()) {
  for (const org::v1::App& app : apps.apps()) {
    by_id_.emplace(app.id(), app);
    if (app.has_saml()) id_by_entity_id_.emplace(app.saml().entity_id(), app.id());
    if (app.has_ws_fed()) id_by_realm_.emplace(app.ws_fed().realm(), app.id());
  }
}

const org::v1::App* AppDirectory::Find(const std::string& id) const {
  const auto at = by_id_.find(id);
  return at == by_id_.end() ? nullptr : &at->second;
}

const org::v1::App* AppDirectory::FindByEntityId(const std::string& entity_id) const {
  const auto at = id_by_entity_id_.find(entity_id);
  return at == id_by_entity_id_.end() ? nullptr : Find(at->second);
}

const org::v1::App* AppDirectory::FindByRealm(const std::string& realm) const {
  const auto at = id_by_realm_.find(realm);
  return at == id_by_realm_.end() ? nullptr : Find(at->second);
}

absl::StatusOr<DeviceIssuers> ToDeviceIssuers(const ca::v1::GetIssuersResponse& response) {
  DeviceIssuers issuers;
  for (const ca::v1::Issuer& issuer : response.issuers()) {
    if (issuer.chain_der().empty()) return absl::InvalidArgumentError("an issuer has no chain");
    DT_ASSIGN_OR_RETURN(pki::Certificate certificate,
                        pki::Certificate::FromDer(AsBytes(issuer.chain_der(0))));
    issuers.certificates.push_back(std::move(certificate));
  }
  if (issuers.certificates.empty()) {
    return absl::InvalidArgumentError("the CA names no issuer of device certificates");
  }
  issuers.edge_address = response.edge_address();
  return issuers;
}

bool IsUsable(const org::v1::Iwa& iwa) {
  return iwa.enabled() && iwa.device_trust_capable() && !iwa.withheld() &&
         !VouchedDomains(iwa).empty();
}

std::vector<std::string> VouchedDomains(const org::v1::Iwa& iwa) {
  std::vector<std::string> both;
  for (const std::string& domain : iwa.domains()) {
    const auto is_it = [&domain](const std::string& granted) { return SameName(granted, domain); };
    if (std::ranges::any_of(iwa.granted_domains(), is_it)) both.push_back(domain);
  }
  return both;
}

std::string DiscoveryJson(std::string_view org, const org::v1::ListIwasResponse& iwas,
                          std::string_view ca_address, std::string_view ca_bundle,
                          std::string_view mtls_host) {
  std::vector<const org::v1::Iwa*> usable;
  for (const org::v1::Iwa& iwa : iwas.iwas()) {
    if (IsUsable(iwa)) usable.push_back(&iwa);
  }
  // Agents try them in this order: a backup that serves before a primary one that does not.
  const auto rank = [](const org::v1::Iwa* iwa) {
    return std::tuple(!iwa->online(), !iwa->problem().empty(), !iwa->primary());
  };
  std::ranges::stable_sort(usable, {}, rank);
  std::string list;
  for (const org::v1::Iwa* iwa : usable) {
    std::string domains;
    for (const std::string& domain : VouchedDomains(*iwa)) {
      domains += (domains.empty() ? "" : ",") + JsonQuote(domain);
    }
    list +=
        fmt::format("{}{{\"name\":{},\"address\":{},\"spn\":{},\"domains\":[{}],\"primary\":{}}}",
                    list.empty() ? "" : ",", JsonQuote(iwa->name()), JsonQuote(iwa->address()),
                    JsonQuote(iwa->spn()), domains, iwa->primary());
  }
  return fmt::format(
      "{{\"org\":{},\"iwas\":[{}],\"ca_address\":{},\"ca_bundle\":{},\"mtls_host\":{}}}",
      JsonQuote(org), list, JsonQuote(ca_address), JsonQuote(ca_bundle), JsonQuote(mtls_host));
}

}  // namespace devicetrust::gateway
